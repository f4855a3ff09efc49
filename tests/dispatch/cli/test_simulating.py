"""`dispatch simulate`, `compare` and `replay` on small days."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dispatch.cli.outcome import DIFFERENT, INVALID_INPUT

Run = Callable[..., Any]
DAY = "synthetic,orders=20,couriers=6"


def test_a_day_is_simulated_written_reported_and_replayed(run: Run, tmp_path: Path) -> None:
    first, page = tmp_path / "first", tmp_path / "page.html"
    done = run("simulate", DAY, "--out", first, "--report", page, "-p", "five-minutes")
    assert done.exit_code == 0
    assert "click to door, mean min" in done.stdout
    assert page.read_text().startswith("<!doctype html>")
    again = run("replay", first)
    assert (again.exit_code, again.stdout.strip()) == (0, "the same bytes")
    second = tmp_path / "second"
    shown = run(
        "simulate", DAY, "--out", second, "-p", "five-minutes", "--acceptance", 0.6, "--json"
    )
    assert json.loads(shown.stdout)["offers"]["refused"] > 0
    other = run("replay", first, second)
    assert other.exit_code == DIFFERENT
    assert "first event that differs" in other.stdout
    assert "offers.refused: 0 -> " in other.stdout


def test_policies_are_compared_pair_by_pair(run: Run, tmp_path: Path) -> None:
    slow = tmp_path / "slow.toml"
    slow.write_text("period_s = 900\n")
    arguments = ("compare", DAY, "-p", "five-minutes", "-p", slow, "--seeds", 2)
    page, out = tmp_path / "page.html", tmp_path / "runs"
    done = run(*arguments, "--json", "--report", page, "--out", out)
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert {row["policy"] for row in rows} == {"slow"}
    excess = next(r for r in rows if r["metric"] == "orders.penalised_excess_min")
    assert excess["difference"] > 0
    assert excess["losses"] == 2
    assert len(list(out.glob("*/*/events.parquet"))) == 4
    assert "slow less five-minutes" in page.read_text()
    assert "orders.penalised_excess_min" in run(*arguments).stdout


def test_what_cannot_be_run_is_said(run: Run, tmp_path: Path) -> None:
    for arguments, message in (
        (("simulate", "nowhere"), "expected synthetic, or a folder"),
        (("simulate", DAY, "-p", "nobody"), "expected TOML or one of default"),
        (("compare", DAY, "-p", "default"), "at least two policies"),
        (("replay", tmp_path), "run.json"),
    ):
        done = run(*arguments)
        assert done.exit_code == INVALID_INPUT
        assert message in done.stderr
