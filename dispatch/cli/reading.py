"""What several verbs read: a snapshot from a file or stdin, a model, a configuration."""

import sys
from pathlib import Path

from dispatch.config import DispatchConfig, load_config
from dispatch.pipeline import Dispatcher
from dispatch.snapshot import Intake, Mode, parse_snapshot, read_snapshot


def read_intake(source: str, *, lenient: bool) -> Intake:
    """Read a snapshot from a path, or from stdin for `-`."""
    mode: Mode = "lenient" if lenient else "strict"
    if source == "-":
        return parse_snapshot(sys.stdin.buffer.read(), mode)
    return read_snapshot(source, mode)


def load_dispatcher(model: Path, config: Path | None) -> Dispatcher:
    """Load a verified model and, if given, a configuration."""
    import models

    return Dispatcher(
        models.load(model), DispatchConfig() if config is None else load_config(config)
    )
