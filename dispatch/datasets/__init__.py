"""Data to work with: the sample, a synthetic city with a planted truth, readers of public sets."""

from dispatch.datasets.colombia import ColombianDay
from dispatch.datasets.grubhub import GrubhubInstance, GrubhubParameters
from dispatch.datasets.law import PlantedLaw
from dispatch.datasets.locate import public_data_dir
from dispatch.datasets.mapped import read_mapped_offers
from dispatch.datasets.meituan import read_meituan_offers
from dispatch.datasets.offers import read_offers, write_offers
from dispatch.datasets.sample import (
    load_sample_offers,
    load_sample_snapshot,
    sample_path,
    write_sample,
)
from dispatch.datasets.synthetic import SyntheticCity
from dispatch.datasets.synthetic_day import synthetic_day
from dispatch.datasets.synthetic_log import offers_log
from dispatch.datasets.synthetic_snapshot import snapshot as synthetic_snapshot

__all__ = [
    "ColombianDay",
    "GrubhubInstance",
    "GrubhubParameters",
    "PlantedLaw",
    "SyntheticCity",
    "load_sample_offers",
    "load_sample_snapshot",
    "offers_log",
    "public_data_dir",
    "read_mapped_offers",
    "read_meituan_offers",
    "read_offers",
    "sample_path",
    "synthetic_day",
    "synthetic_snapshot",
    "write_offers",
    "write_sample",
]
