"""The sample in the repository is what its generator makes, small, and found or missed clearly."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from dispatch.datasets import (
    load_sample_offers,
    load_sample_snapshot,
    read_offers,
    sample_path,
    write_sample,
)
from dispatch.errors import InvalidInputError
from dispatch.validate import validate

FILES = ("snapshot.json", "offers.csv.gz", "truth.csv.gz", "README.md")


def content(path: Path) -> bytes:
    """Return what a file holds; how gzip packs it may differ between releases of zlib."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def test_a_smaller_sample_is_the_beginning_of_the_one_in_the_repository(tmp_path: Path) -> None:
    n = 1_500
    paths = write_sample(tmp_path, n_offers=n)
    assert [p.name for p in paths] == list(FILES)
    assert content(tmp_path / "snapshot.json") == content(sample_path("snapshot.json"))
    for name in ("offers.csv.gz", "truth.csv.gz"):
        committed = content(sample_path(name)).splitlines()[: n + 1]
        assert content(tmp_path / name).splitlines() == committed
    dictionary = content(tmp_path / "README.md").replace(b"1,500 offers", b"20,000 offers")
    assert dictionary == content(sample_path("README.md"))


@pytest.mark.slow
def test_the_sample_in_the_repository_is_made_again_byte_for_byte(tmp_path: Path) -> None:
    for path in write_sample(tmp_path):
        assert content(path) == content(sample_path(path.name))


def test_the_samples_snapshot_is_valid() -> None:
    snapshot = load_sample_snapshot()
    validate(snapshot)
    assert (len(snapshot.orders), len(snapshot.couriers)) == (60, 100)


def test_the_samples_log_precedes_its_snapshot_and_matches_its_truth() -> None:
    log = load_sample_offers()
    truth = pd.read_csv(sample_path("truth.csv.gz"))
    assert len(log) == 20_000
    assert 0.75 < log["accepted"].mean() < 0.85
    assert log["offered_at"].max() < load_sample_snapshot().now
    assert list(truth["offer_id"]) == list(log["offer_id"])
    online = {c.id for c in load_sample_snapshot().couriers}
    assert len(online & set(log["courier_id"])) >= 95  # somebody on foot may never have been asked


def test_the_sample_is_small() -> None:
    sizes = {name: sample_path(name).stat().st_size for name in FILES}
    assert sizes["snapshot.json"] < 300_000
    assert sum(sizes.values()) < 2_000_000


def test_the_data_dictionary_describes_every_column() -> None:
    text = sample_path("README.md").read_text()
    columns = [*read_offers(sample_path("offers.csv.gz")), "true_probability", "courier_effect"]
    assert all(f"| `{name}` |" in text for name in columns)


def test_a_sample_that_is_not_there_says_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURIER_SAMPLE_DIR", str(tmp_path))
    with pytest.raises(InvalidInputError, match="dispatch sample --out data/sample"):
        load_sample_snapshot()
