"""Where public data lies that the project reads but may not ship."""

import os
from pathlib import Path


def public_data_dir() -> Path | None:
    """Return the folder of public data sets, or None where there is none.

    `COURIER_DATA_DIR`, else `../shared/data` beside the repository if it exists.
    """
    named = os.environ.get("COURIER_DATA_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    return folder if folder.is_dir() else None
