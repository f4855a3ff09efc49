"""The dispatch service over HTTP: `api.main.create_app`."""
