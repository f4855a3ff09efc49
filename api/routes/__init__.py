"""The service's endpoints, one topic per file."""
