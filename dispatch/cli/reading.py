"""What several verbs read: a snapshot from a file or stdin, a model, a configuration."""

import sys
from pathlib import Path

import pandas as pd

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

    parameters = DispatchConfig() if config is None else load_config(config)
    return Dispatcher(
        models.load(model, parameters.refused, parameters.scoring_backend), parameters
    )


def read_offers_log(offers: Path, mapping: Path | None) -> pd.DataFrame:
    """Read an offers log: our columns, a user's own through a mapping, or a folder of Meituan's."""
    from dispatch.datasets import read_mapped_offers, read_meituan_offers, read_offers

    if mapping is not None:
        return read_mapped_offers(offers, mapping)
    return read_meituan_offers(offers) if offers.is_dir() else read_offers(offers)
