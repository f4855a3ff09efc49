"""The sample that comes with the project: a snapshot and a past of the synthetic city."""

import os
from pathlib import Path

import pandas as pd

from dispatch.datasets.offers import LOG_COLUMNS, read_offers, write_offers
from dispatch.datasets.synthetic import SyntheticCity
from dispatch.datasets.synthetic_log import offers_log
from dispatch.datasets.synthetic_snapshot import snapshot
from dispatch.domain import Snapshot
from dispatch.errors import InvalidInputError, Problem
from dispatch.snapshot import read_snapshot, write_snapshot
from models.columns import RAW_COLUMNS

SAMPLE_SEED = 2025
N_OFFERS = 20_000
SNAPSHOT, OFFERS, TRUTH = "snapshot.json", "offers.csv.gz", "truth.csv.gz"


def sample_path(name: str) -> Path:
    """Find a file of the sample, in `COURIER_SAMPLE_DIR` or in `data/sample` beside the packages.

    Raises
    ------
    InvalidInputError
        If it is not there, with the command that makes it.
    """
    beside = Path(__file__).resolve().parents[2] / "data" / "sample"
    path = Path(os.environ.get("COURIER_SAMPLE_DIR", beside)) / name
    if not path.is_file():
        message = (
            "is not there; make it with `dispatch sample --out data/sample`, "
            "or name its folder in COURIER_SAMPLE_DIR"
        )
        raise InvalidInputError("sample", [Problem(str(path), message)])
    return path


def load_sample_snapshot() -> Snapshot:
    """Read the sample's snapshot: 60 waiting orders, 100 couriers, a Monday evening."""
    return read_snapshot(sample_path(SNAPSHOT)).snapshot


def load_sample_offers() -> pd.DataFrame:
    """Read the sample's offers log: 20,000 offers, answered by the planted law."""
    return read_offers(sample_path(OFFERS))


def write_sample(
    folder: str | Path, seed: int = SAMPLE_SEED, n_offers: int = N_OFFERS
) -> list[Path]:
    """Write the sample and its data dictionary; the same seed writes the same content."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    city = SyntheticCity(seed=seed)
    log, truth = offers_log(city, n_offers)
    write_snapshot(snapshot(city), place / SNAPSHOT)
    write_offers(log, place / OFFERS)
    write_offers(truth, place / TRUTH)
    (place / "README.md").write_text(_dictionary(city, log))
    return [place / name for name in (SNAPSHOT, OFFERS, TRUTH, "README.md")]


def _dictionary(city: SyntheticCity, log: pd.DataFrame) -> str:
    return _DICTIONARY.format(
        seed=city.seed,
        n_offers=f"{len(log):,}",
        n_couriers=city.n_couriers,
        n_merchants=city.n_merchants,
        courier_sd=city.courier_sd,
        log="\n".join(
            f"| `{c.name}` | {c.kind} | {c.meaning} |" for c in LOG_COLUMNS if c.name in log
        ),
        raw="\n".join(
            f"| `{c.name}` | {c.unit} | {c.source} | {'yes' if c.optional else 'no'} "
            f"| {c.description} |"
            for c in RAW_COLUMNS.values()
            if c.name in log
        ),
        law="\n".join(f"| `{n}` | {v:g} | {m} |" for n, v, m in city.law.describe()),
    )


_DICTIONARY = """\
# Sample data

A made-up city, drawn from seed {seed}: {n_couriers} couriers, {n_merchants} restaurants. It stands
for no real place or person. Made by `dispatch sample --out data/sample`; the same seed makes the
same content. Licensed as the project is.

- `snapshot.json`: one moment of a Monday evening, 60 waiting orders and 100 couriers.
- `offers.csv.gz`: the {n_offers} offers of the weeks before, in the sequence they were made.
- `truth.csv.gz`: what no model may see, for judging one.

Durations are seconds, distances metres, money EUR, times UTC. Floats are rounded to six
significant digits; the arithmetic behind the columns is `dispatch.columns`, the same as in serving.

## offers.csv.gz

| column | kind | meaning |
|---|---|---|
{log}

and the raw columns of the acceptance model:

| column | unit | of the | may be empty | meaning |
|---|---|---|---|---|
{raw}

How offers were made: every minute, each waiting order was offered to one of the eight couriers who
could be at the pickup first (within 20 minutes), with odds falling by a factor e for every 150 s
later; `propensity` is that chance, given what had been offered before. A refused order went to
somebody else from the next minute on, and was cancelled 45 minutes after it was placed. A
courier's history counts the last seven local days, today included, before the offer, and
`since_offer_s` is empty before the courier's first offer of a day.

## truth.csv.gz

| column | unit | meaning |
|---|---|---|
| `offer_id` | text | as in the log |
| `true_probability` | 1 | chance with which this offer was accepted |
| `courier_effect` | log-odds | hidden effect of the courier, normal with sd {courier_sd:g} |

## The planted law

    log-odds of acceptance = intercept + courier_effect + strength * sum of coefficient * term

| coefficient | value | term |
|---|---|---|
{law}
"""
