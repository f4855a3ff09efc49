"""`dispatch serve`."""

import os
from pathlib import Path


def run(model: Path, config: Path | None, host: str, port: int) -> None:
    """Run the service in this process until interrupted."""
    import uvicorn

    os.environ["DISPATCH_MODEL_DIR"] = str(model)
    if config is not None:
        os.environ["DISPATCH_CONFIG"] = str(config)
    # The service stands above this room: it is named to the server, never imported here.
    uvicorn.run("api.main:create_app", factory=True, host=host, port=port, access_log=False)
