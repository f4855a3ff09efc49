"""The verbs beside `assign`: train, frontier, why, sample, convert, schema, versions, serve."""

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import uvicorn

from dispatch.datasets import sample_path
from dispatch.datasets.sample import SAMPLE_SEED
from dispatch.result import Plan
from dispatch.snapshot import json_schema, parse_snapshot, read_snapshot

PNG = b"\x89PNG\r\n\x1a\n"


def test_train_reports_metrics_with_intervals_and_the_seed_decides_the_model(
    run: Any, offers_file: Path, tmp_path: Path
) -> None:
    reports = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        done = run("train", offers_file, "--out", tmp_path / name, "--seed", seed, "--json")
        assert done.exit_code == 0
        assert "written to" in done.stderr
        reports.append(json.loads(done.stdout))
    assert reports[0] == reports[1]
    assert reports[0]["version"] != reports[2]["version"]
    assert set(reports[0]["metrics"]) >= {"auc", "log_loss", "brier"}
    for metric in reports[0]["metrics"].values():
        assert metric["low"] <= metric["high"]


def test_train_prints_a_table(run: Any, offers_file: Path, tmp_path: Path) -> None:
    done = run("train", offers_file, "--out", tmp_path / "model")
    assert done.exit_code == 0
    assert "never trained on" in done.stdout
    assert "auc" in done.stdout


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_frontier_writes_points_and_a_picture(
    run: Any, model: Path, small_file: Path, tmp_path: Path, suffix: str
) -> None:
    out, plot = tmp_path / "new" / f"points.{suffix}", tmp_path / "new" / "frontier.png"
    done = run("frontier", small_file, "-m", model, "-o", out, "--plot", plot, "--points", 5)
    assert done.exit_code == 0
    assert "Frontier" in done.stdout
    points = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    assert f"{len(points)} points written to" in done.stderr
    assert points["knee"].sum() == 1
    assert points["fairness_spread"].is_monotonic_decreasing
    assert plot.read_bytes().startswith(PNG)


def test_frontier_as_json_is_the_same_as_the_points_written(
    run: Any, model: Path, small_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "points.csv"
    done = run("frontier", small_file, "-m", model, "--json", "-o", out, "--points", 5)
    report = json.loads(done.stdout)
    assert report["complete"] is True
    spread = [point["fairness_spread"] for point in report["points"]]
    assert spread == pd.read_csv(out)["fairness_spread"].tolist()


def test_an_exact_frontier_keeps_its_pieces_and_says_what_fairness_costs(
    run: Any, model: Path, small_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "alone.toml").write_text("[candidates]\nmax_new_orders = 1\n")
    common = ("frontier", small_file, "-m", model, "-c", tmp_path / "alone.toml")
    exact = ("--method", "exact", "--resume", tmp_path / "pieces")
    first, again = run(*common, *exact), run(*common, *exact)
    assert first.exit_code == again.exit_code == 0
    assert first.stdout == again.stdout
    assert any((tmp_path / "pieces").iterdir())
    assert "less acceptance buys" in first.stdout
    report = json.loads(run(*common, *exact, "--json").stdout)
    assert report["method"] == "exact"
    assert report["complete"]
    assert report["hypervolume_gap"] == 0.0


def test_a_notion_of_fairness_is_named_with_its_numbers(
    run: Any, model: Path, small_file: Path
) -> None:
    done = run("assign", small_file, "-m", model, "--fairness", "hours<=0.9", "--json")
    assert done.exit_code == 0
    objectives = json.loads(done.stdout)["objectives"]
    assert objectives["fairness_unit"] == "h²/h"
    assert "hours of work" in objectives["fairness_notion"]
    assert "at most 0.9 h/h" in objectives["fairness_notion"]
    frontier = run("frontier", small_file, "-m", model, "--fairness", "earnings", "--points", 3)
    assert "money²/h" in frontier.stdout


def test_frontier_cut_short_by_its_deadline_says_so(
    run: Any, model: Path, small_file: Path
) -> None:
    done = run("frontier", small_file, "-m", model, "--deadline-ms", 1, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["complete"] is False


def test_why_explains_the_choice_the_rival_and_the_order_left(run: Any, plan_file: Path) -> None:
    plan = Plan.from_json(plan_file.read_bytes())
    offer = next(o for o in plan.offers if o.rivals)
    chosen = run("why", plan_file, offer.order_ids[0])
    assert chosen.exit_code == 0
    assert f"offered to courier {offer.courier_id}" in chosen.stdout
    rival = run("why", plan_file, offer.order_ids[0], offer.rivals[0].courier_id)
    assert f"but {offer.courier_id} was chosen" in rival.stdout
    left = run("why", plan_file, plan.unassigned[0].order_id)
    assert "offered to nobody" in left.stdout
    assert run("why", plan_file, plan.locked[0].order_id).exit_code == 0


def test_why_reads_a_plan_from_stdin(run: Any, plan_file: Path) -> None:
    order = Plan.from_json(plan_file.read_bytes()).offers[0].order_ids[0]
    piped = run("why", "-", order, stdin=plan_file.read_bytes())
    assert piped.exit_code == 0
    assert piped.stdout == run("why", plan_file, order).stdout


def test_the_committed_sample_is_what_the_command_makes(run: Any, tmp_path: Path) -> None:
    """By default: same seed, same rows, same bytes once unpacked."""
    done = run("sample", "--out", tmp_path)
    assert done.exit_code == 0
    for name in ("snapshot.json", "offers.csv.gz", "truth.csv.gz", "README.md"):
        made, kept = (tmp_path / name).read_bytes(), (sample_path(name)).read_bytes()
        if name.endswith(".gz"):
            made, kept = gzip.decompress(made), gzip.decompress(kept)
        assert hashlib.sha256(made).hexdigest() == hashlib.sha256(kept).hexdigest(), name


def test_another_seed_makes_another_sample(run: Any, tmp_path: Path) -> None:
    done = run("sample", "--out", tmp_path, "--seed", SAMPLE_SEED + 1, "--offers", 100)
    assert done.exit_code == 0
    assert (tmp_path / "snapshot.json").read_bytes() != sample_path("snapshot.json").read_bytes()


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """A tiny instance of the Grubhub format: one order placed in minute 11, one courier."""
    texts = {
        "orders": "order\tx\ty\tplacement_time\trestaurant\tready_time\no2\t301\t400\t11\tr1\t22\n",
        "couriers": "courier\tx\ty\ton_time\toff_time\nc1\t0\t0\t0\t60\n",
        "restaurants": "restaurant\tx\ty\nr1\t300\t400\n",
        "instance_parameters": "meters_per_minute\tpickup service minutes\t"
        "dropoff service minutes\ttarget click-to-door\tmaximum click-to-door\tpay per order\t"
        "guaranteed pay per hour\n100\t4\t4\t40\t90\t10\t15\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


def test_convert_writes_the_same_snapshot_to_a_file_and_to_stdout(
    run: Any, instance: Path, model: Path
) -> None:
    out = instance / "snapshot.json"
    written = run("convert", "grubhub", instance, "--out", out)
    assert written.exit_code == 0
    assert written.stdout == ""
    assert "1 orders, 1 couriers" in written.stderr
    piped = run("convert", "grubhub", instance)
    assert parse_snapshot(piped.stdout).snapshot == read_snapshot(out).snapshot
    assert run("assign", "-", "-m", model, stdin=piped.stdout.encode()).exit_code == 0


@pytest.mark.parametrize("at", ["15", "00:15"])
def test_convert_takes_a_minute_or_a_clock_time(run: Any, instance: Path, at: str) -> None:
    done = run("convert", "grubhub", instance, "--at", at, "--out", instance / "s.json")
    assert "minute 15:" in done.stderr


def test_convert_refuses_a_time_it_cannot_read(run: Any, instance: Path) -> None:
    done = run("convert", "grubhub", instance, "--at", "noon")
    assert done.exit_code == 2
    assert "'noon'" in done.stderr


def test_schema_is_printed_as_json(run: Any) -> None:
    assert json.loads(run("schema").stdout) == json.loads(json.dumps(json_schema()))


def test_versions_name_package_engines_backends_and_libraries(run: Any) -> None:
    done = run("versions", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["courier-dispatch"])
    assert "greedy" in found["engines"]
    assert "lightgbm" in found["scoring backends"]
    assert found["scoring kernel"].split()[0] in found["scoring backends"]
    assert found["numpy"] in run("versions").stdout


def test_serve_hands_its_options_to_the_server(
    run: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server itself is started for real by the README's test."""
    started: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(uvicorn, "run", lambda *args, **kw: started.append((args, kw)))
    monkeypatch.setenv("DISPATCH_MODEL_DIR", "")  # put back afterwards: `serve` sets it
    monkeypatch.setenv("DISPATCH_CONFIG", "")
    config = tmp_path / "policy.toml"
    done = run("serve", "--model", model, "--config", config, "--port", 8123)
    assert done.exit_code == 0
    ((target,), options) = started[0]
    assert target == "api.main:create_app"
    assert (options["host"], options["port"]) == ("127.0.0.1", 8123)
