"""`dispatch assign`: what it prints, writes and promises."""

import json
from pathlib import Path
from typing import Any

import pytest

from dispatch.datasets import load_sample_snapshot
from dispatch.result import Plan
from dispatch.snapshot import write_snapshot


def test_the_plan_is_printed_as_tables_that_end_with_what_to_do_next(
    run: Any, model: Path, snapshot_file: Path
) -> None:
    done = run("assign", snapshot_file, "--model", model, "--frontier")
    assert done.exit_code == 0
    assert done.stderr == ""
    wanted = ("Plan ", "Unassigned", "Objectives", "optimism", "naive claim", "gap")
    wanted += ("Milliseconds by stage", "Frontier")
    places = [done.stdout.index(part) for part in wanted]
    assert places == sorted(places)
    assert f"dispatch serve --model {model}" in done.stdout
    assert "dispatch why" in done.stdout.splitlines()[-1]


def test_json_alone_is_on_stdout_when_asked_for(
    run: Any, model: Path, snapshot_file: Path, tmp_path: Path
) -> None:
    out, drawn = tmp_path / "new" / "plan.json", tmp_path / "routes.json"
    done = run(
        "assign", snapshot_file, "-m", model, "--json", "--out", out, "--geojson", drawn
    )  # fmt: skip
    assert done.exit_code == 0
    assert Plan.from_json(done.stdout) == Plan.from_json(out.read_bytes())
    assert "plan written to" in done.stderr
    assert "routes written to" in done.stderr
    assert json.loads(drawn.read_text())["type"] == "FeatureCollection"


def test_a_snapshot_on_stdin_gives_the_plan_of_the_same_file(
    run: Any, model: Path, small_file: Path
) -> None:
    common = ("-m", model, "--json", "--no-timings")
    from_file = run("assign", small_file, *common)
    from_stdin = run("assign", "-", *common, stdin=small_file.read_bytes())
    assert from_stdin.exit_code == 0
    assert from_stdin.stdout == from_file.stdout


def test_a_snapshot_as_parquet_gives_the_plan_of_the_same_json(
    run: Any, model: Path, snapshot_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "parquet"
    write_snapshot(load_sample_snapshot(), folder)
    common = ("-m", model, "--json", "--no-timings")
    tables = run("assign", folder, *common)
    assert tables.exit_code == 0
    assert tables.stdout == run("assign", snapshot_file, *common).stdout


def test_without_timings_the_same_input_gives_the_same_bytes(
    run: Any, model: Path, snapshot_file: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json")]
    common = ("-m", model, "--frontier", "--no-timings", "--out")
    screens = [run("assign", snapshot_file, *common, file).stdout for file in files]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert screens[0].replace("a.json", "b.json") == screens[1]
    assert "Milliseconds" not in screens[0]


@pytest.mark.usefixtures("cold")
def test_a_deadline_of_a_millisecond_is_answered_by_greedy_and_says_so(
    run: Any, model: Path, snapshot_file: Path
) -> None:
    """The plan is still one that passed both checks: only such plans are returned at all."""
    done = run("assign", snapshot_file, "-m", model, "--deadline-ms", 1, "--json")
    assert done.exit_code == 0
    plan = Plan.from_json(done.stdout)
    assert plan.offers
    assert (plan.solver.engine, plan.solver.status) == ("greedy", "feasible")
    assert plan.solver.bound <= plan.solver.objective
    assert "deadline" in plan.solver.message


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [
        ("--weights", "acceptance=2,delivery_time=0,lateness=0,fairness=0", None),
        ("--bound", "acceptance>=3", lambda o: o.expected_acceptances >= 3),
        ("--bound", "delivery_time <= 1000", lambda o: o.delivery_time_min <= 1000),
        ("--knee", None, None),
    ],
)
def test_operating_points_are_named_in_the_plan_and_kept(
    run: Any, model: Path, small_file: Path, option: str, value: str | None, kept: Any
) -> None:
    given = [option] if value is None else [option, value]
    done = run("assign", small_file, "-m", model, "--json", *given)
    assert done.exit_code == 0, done.stderr
    plan = Plan.from_json(done.stdout)
    assert plan.solver.operating_point.startswith(option.removeprefix("--"))
    assert kept is None or kept(plan.objectives)
    if option == "--weights":
        assert plan.solver.weights == {
            "acceptance": 2, "delivery_time": 0, "lateness": 0, "fairness": 0
        }  # fmt: skip


def test_a_configuration_changes_the_plan_and_its_hash(
    run: Any, model: Path, small_file: Path, tmp_path: Path
) -> None:
    config = tmp_path / "policy.toml"
    config.write_text('policy_id = "near"\n[candidates]\ncouriers_per_order = 1\n')
    plans = [
        Plan.from_json(run("assign", small_file, "-m", model, "--json", *extra).stdout)
        for extra in ((), ("--config", config))
    ]
    assert [plan.policy_id for plan in plans] == ["default", "near"]
    assert plans[0].config_hash != plans[1].config_hash
    assert plans[1].solver.pairs < plans[0].solver.pairs


def test_lenient_sets_a_broken_order_aside_and_says_so(
    run: Any, model: Path, small_raw: dict[str, Any]
) -> None:
    small_raw["orders"][0]["pickup"]["location"]["lat"] = 95.125734
    text = json.dumps(small_raw).encode()
    done = run("assign", "-", "-m", model, "--json", "--lenient", stdin=text)
    assert done.exit_code == 0
    assert "set aside: orders[*].pickup.location.lat" in done.stderr
    assert "95.125" not in done.stderr + done.stdout
    left = {entry.order_id: entry.reason for entry in Plan.from_json(done.stdout).unassigned}
    assert left["o1"] == "rejected_input"
