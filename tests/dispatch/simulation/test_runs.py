"""Runs are folders of the same bytes, can be run again, and say where they differ."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dispatch.errors import InvalidInputError
from dispatch.simulation.compare import BETTER_LOW, Comparison, compare, mean_interval
from dispatch.simulation.measures import orders_table
from dispatch.simulation.report import comparison_report, run_report
from dispatch.simulation.runs import (
    SAME_BYTES,
    diff_runs,
    live,
    read_spec,
    replay,
    tune_couriers,
    with_seed,
    write_run,
)
from dispatch.simulation.spec import (
    POLICIES,
    CourierRules,
    PolicyRules,
    RunSpec,
    Source,
    load_couriers,
    load_policy,
    parse_source,
)

SPEC = RunSpec(
    source=Source(orders=25, couriers=8, day=1),
    policy=PolicyRules(period_s=300),
    couriers=CourierRules("logit"),
    seed=3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(live(SPEC), SPEC, tmp_path_factory.mktemp("run"))


def test_the_same_specification_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert read_spec(folder) == SPEC
    found = replay(folder, tmp_path)
    assert not found
    assert found.first_event is None
    for name in SAME_BYTES:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert json.loads((folder / "timings.json").read_text())["decisions"] > 10


def test_a_day_of_bundles_has_the_same_bytes_as_well(tmp_path: Path) -> None:
    """Prices, local search and the exact core stop by work and not by the clock."""
    source = Source(orders=150, couriers=12, day=1)
    spec = RunSpec(source, replace(POLICIES["chains"], period_s=900.0))
    first = write_run(live(spec), spec, tmp_path / "first")
    assert not replay(first, tmp_path / "second")


def test_another_seed_differs_and_the_difference_is_named(folder: Path, tmp_path: Path) -> None:
    other = replace(SPEC, seed=4)
    found = diff_runs(folder, write_run(live(other), other, tmp_path))
    assert found
    assert {"run.json", "events.parquet"} <= set(found.files)
    assert found.first_event is not None
    row, one, two = found.first_event
    assert one != two
    events = pd.read_parquet(folder / "events.parquet")
    assert events["kind"][row] == one["kind"]  # type: ignore[index]
    assert any(name.startswith("offers.") for name in found.metrics)


def test_timings_are_in_no_file_that_is_compared(folder: Path) -> None:
    for name in ("run.json", "metrics.json"):
        assert not re.search(r"cpu|wall", (folder / name).read_text())
    assert set(pd.read_parquet(folder / "events.parquet").columns) == {
        "at_s", "kind", "order_id", "courier_id", "offer_id", "value", "note",
    }  # fmt: skip


def test_a_specification_survives_its_json_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    assert RunSpec.from_json(SPEC.to_json()) == SPEC
    text = SPEC.to_json().replace('"period_s": 300.0', '"period_s": 0.0, "perod": 1')
    with pytest.raises(InvalidInputError) as caught:
        RunSpec.from_json(text)
    assert "policy.period_s" in str(caught.value)
    assert "policy.perod" in str(caught.value)
    with pytest.raises(InvalidInputError, match="no such file"):
        read_spec(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InvalidInputError, match="not the description of a run"):
        read_spec(tmp_path)


def test_policies_come_by_name_or_from_toml(tmp_path: Path) -> None:
    assert load_policy("fair") is POLICIES["fair"]
    file = tmp_path / "mine.toml"
    file.write_text(
        "period_s = 120\ncommit_late = false\nbackups = 2\n[dispatch.objective]\nfairness = 0.3\n"
    )
    rules = load_policy(str(file))
    assert (rules.name, rules.period_s, rules.backups) == ("mine", 120.0, 2)
    assert rules.dispatch.objective.fairness == 0.3
    file.write_text("[dispatch.objective]\nfairnes = 0.3\n")
    with pytest.raises(InvalidInputError, match=r"dispatch\.objective\.fairnes"):
        load_policy(str(file))
    with pytest.raises(InvalidInputError, match="one of default"):
        load_policy("no-such-policy")


def test_couriers_come_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "couriers.toml"
    file.write_text('kind = "logit"\n[logit]\npatience_s = 1800\n')
    rules = load_couriers(str(file))
    assert (rules.kind, rules.logit.patience_s) == ("logit", 1800)
    file.write_text("[logit]\nignored = 2\n")
    with pytest.raises(InvalidInputError, match="ignored"):
        load_couriers(str(file))
    file.write_text("kind = ")
    with pytest.raises(InvalidInputError, match="is not TOML"):
        load_couriers(str(file))


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_named_policy_lives_through_a_day(name: str) -> None:
    spec = RunSpec(Source(orders=8, couriers=5), replace(POLICIES[name], period_s=600.0))
    assert any(event.kind == "delivered" for event in live(spec).events)


def test_sources_are_read_from_text(tmp_path: Path) -> None:
    assert parse_source("synthetic") == Source()
    assert parse_source("synthetic,day=3,orders=70,couriers=9") == Source(
        day=3, orders=70, couriers=9
    )
    (tmp_path / "orders.txt").touch()
    assert parse_source(str(tmp_path)) == Source("grubhub", str(tmp_path))
    for wrong in ("synthetic,days=3", "synthetic,day=x", "elsewhere"):
        with pytest.raises(InvalidInputError, match="source"):
            parse_source(wrong)


def test_seeds_of_the_synthetic_city_are_its_days() -> None:
    assert with_seed(RunSpec(Source(day=2)), 5) == RunSpec(Source(day=7), seed=5)
    public = RunSpec(Source("grubhub", "somewhere"))
    assert with_seed(public, 5) == replace(public, seed=5)


def test_couriers_tuned_to_a_day_accept_about_as_many_of_its_offers() -> None:
    source = Source(orders=25, couriers=8)
    law = tune_couriers(source, SPEC.couriers.logit, 0.48)
    assert law.intercept < tune_couriers(source, SPEC.couriers.logit, 0.87).intercept


def test_comparing_a_policy_with_itself_changes_nothing() -> None:
    days = [with_seed(replace(SPEC, couriers=CourierRules()), seed) for seed in (0, 1)]
    done: list[tuple[int, int]] = []
    found = compare({"a": days, "b": days}, lambda *step: done.append(step))
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for d in found.differences(np.random.default_rng(0)):
        if not np.isnan(d.difference):
            assert (d.difference, d.low, d.high, d.wins, d.losses, d.ties) == (0, 0, 0, 0, 0, 2)


def test_differences_count_wins_by_what_is_better() -> None:
    base = dict.fromkeys(BETTER_LOW, np.array([1.0, 2.0, 3.0]))
    own = dict.fromkeys(BETTER_LOW, np.array([0.5, 2.0, 3.5]))
    comparison = Comparison(("x", "y", "z"), {"base": base, "own": own})
    by_metric = {d.metric: d for d in comparison.differences(np.random.default_rng(0))}
    for metric in ("orders.late_share", "offers.acceptance_rate"):
        d = by_metric[metric]
        assert (d.wins, d.losses, d.ties) == (1, 1, 1)
        assert d.difference == 0
        assert (d.low, d.high) == (-0.5, 0.5)


def test_policies_are_not_compared_on_different_days() -> None:
    with pytest.raises(ValueError, match="same days"):
        compare({"a": [SPEC], "b": [replace(SPEC, seed=9)]})


def test_the_bootstrap_interval_holds_the_mean_as_often_as_it_says() -> None:
    """Of 200 samples of 30 normal numbers, the 95 % interval should miss 0 in 10; 25 is far out."""
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(200):
        low, high = mean_interval(rng.normal(size=30), rng)
        missed += not low <= 0 <= high
    assert missed < 25


def test_reports_stand_alone() -> None:
    """Pictures inside, no scripts, nothing fetched from anywhere."""
    log = live(SPEC)
    excess = {"a": orders_table(log)["excess_min"], "b": orders_table(log)["excess_min"]}
    days = [SPEC]
    found = compare({"a": days, "b": days})
    pages = (
        run_report(log, SPEC),
        comparison_report(found, found.differences(np.random.default_rng(0)), excess),
    )
    for page, pictures in zip(pages, (4, 2), strict=True):
        assert 'alt=""' not in page
        assert page.count("<img") == page.count('src="data:image/png;base64,') == pictures
        assert not re.search(r"<script|<link|https?://|@import", page)
        assert page.rstrip().endswith("</html>")
