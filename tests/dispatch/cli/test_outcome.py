"""Exit codes, and messages instead of tracebacks."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTHING = "acceptance=0,delivery_time=0,lateness=0,fairness=0"
COORDINATE = re.compile(rb'"(?:lat|lon)": ?"?(-?\d+\.\d+)')


def test_a_broken_snapshot_is_refused_by_the_name_of_its_field(
    run: Any, model: Path, broken: Any, tmp_path: Path
) -> None:
    """Exit code 3, nothing on stdout, no traceback and no coordinate on stderr."""
    file = tmp_path / "broken.json"
    file.write_bytes(broken.text)
    done = run("assign", file, "--model", model, "--json")
    assert done.exit_code == 3
    assert done.stdout == ""
    assert broken.path in done.stderr
    assert "Traceback" not in done.stderr
    sent = {value.decode() for value in COORDINATE.findall(broken.text)}
    assert not [value for value in sent if value in done.stderr]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["assign", "{snapshot}"], "--model"),
        (["assign", "{snapshot}", "-m", "{model}", "--deadline-ms", "0"], "--deadline-ms"),
        (["assign", "{snapshot}", "-m", "{model}", "--knee", "--weights", ""], "one of --weights"),
        (["assign", "{snapshot}", "-m", "{model}", "--weights", "speed=1"], "'speed=1'"),
        (["assign", "{snapshot}", "-m", "{model}", "--weights", "fairness=nan"], "'fairness=nan'"),
        (["assign", "{snapshot}", "-m", "{model}", "--bound", "acceptance<=1"], "acceptance>="),
        (["frontier", "{snapshot}", "-m", "{model}", "--points", "2"], "--points"),
        (["frontier", "{snapshot}", "-m", "{model}", "--method", "magic"], "--method"),
        (["assign", "{snapshot}", "-m", "{model}", "--fairness", "hours<=0"], "--fairness"),
        (["assign", "{snapshot}", "-m", "{model}", "--fairness", "minutes"], "--fairness"),
        (["convert", "uber", "."], "'uber'"),
        (["teleport"], "teleport"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    run: Any, model: Path, small_file: Path, arguments: list[str], says: str
) -> None:
    done = run(*[a.format(snapshot=small_file, model=model) for a in arguments])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["assign", "{tmp}/none.json", "-m", "{model}"], "no such file"),
        (["assign", "{snapshot}", "-m", "{model}", "-c", "{tmp}/none.toml"], "none.toml"),
        (["assign", "{snapshot}", "-m", "{model}", "-c", "{toml}"], "couriers_per_oder"),
        (["assign", "{snapshot}", "-m", "{model}", "--geojson", "{tmp}/no/x.json"], "no/x.json"),
        (["assign", "{snapshot}", "-m", "{model}", "--weights", NOTHING], "weights are 0"),
        (["frontier", "{snapshot}", "-m", "{model}", "-o", "{tmp}/x.txt"], "--out"),
        (["frontier", "{snapshot}", "-m", "{model}", "--plot", "{tmp}/x.svg"], "--plot"),
        (["why", "{plan}", "o99999"], "o99999"),
        (["why", "{snapshot}", "o1"], "offers"),
        (["why", "{tmp}/none.json", "o1"], "none.json"),
        (["train", "{tmp}/none.csv", "--out", "{tmp}/m"], "none.csv"),
        (["train", "{snapshot}", "--out", "{tmp}/m"], ".parquet"),
        (["convert", "grubhub", "{tmp}"], "orders.txt"),
        (["convert", "colombia", "{tmp}"], "orders.csv"),
    ],
)
def test_input_that_cannot_be_used_is_exit_code_3(
    run: Any,
    model: Path,
    small_file: Path,
    plan_file: Path,
    tmp_path: Path,
    arguments: list[str],
    says: str,
) -> None:
    toml = tmp_path / "typo.toml"
    toml.write_text("[candidates]\ncouriers_per_oder = 3\n")
    places = {"snapshot": small_file, "model": model, "plan": plan_file, "tmp": tmp_path}
    done = run(*[a.format(toml=toml, **places) for a in arguments])
    assert done.exit_code == 3
    assert done.stdout == ""
    assert done.stderr.startswith("dispatch: ")
    assert says in done.stderr


def test_a_bound_out_of_reach_is_exit_code_4_and_says_what_can_be_reached(
    run: Any, model: Path, small_file: Path
) -> None:
    done = run("assign", small_file, "-m", model, "--bound", "acceptance>=5.5")
    assert done.exit_code == 4
    assert re.search(r"at least 5\.5 .*; the best plan .* reaches \d", done.stderr)


@pytest.mark.usefixtures("cold")
def test_a_bound_not_met_in_time_is_exit_code_6(
    run: Any, model: Path, snapshot_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound can be met, but not by the greedy plan, where the flow would come too late."""
    command = ("assign", snapshot_file, "-m", model, "--bound", "fairness<=315")
    assert run(*command).exit_code == 0
    monkeypatch.setattr(sys.modules["optimization.solve"], "FLOW_S_PER_PAIR", 1.0)
    late = run(*command, "--deadline-ms", 1)
    assert late.exit_code == 6
    assert late.stdout == ""
    assert late.stderr.startswith("dispatch: ")


@pytest.mark.parametrize("verb", ["assign", "frontier"])
def test_a_model_that_was_tampered_with_is_exit_code_5(
    run: Any, broken_model: Path, small_file: Path, verb: str
) -> None:
    done = run(verb, small_file, "-m", broken_model)
    assert done.exit_code == 5
    assert done.stderr.startswith("dispatch: ")
    assert "hash" in done.stderr.lower() or "sha" in done.stderr.lower()


def test_a_missing_model_is_exit_code_5(run: Any, small_file: Path, tmp_path: Path) -> None:
    done = run("assign", small_file, "-m", tmp_path / "none")
    assert done.exit_code == 5
    assert "train one" in done.stderr


def test_every_exit_code_is_in_the_help(run: Any) -> None:
    shown = " ".join(run("--help").stdout.split())
    assert all(f"{code} " in shown.partition("Exit codes:")[2] for code in range(7))


def test_a_reader_that_stops_early_ends_the_command_quietly() -> None:
    """`dispatch schema | head -1` through real pipes: no traceback."""
    command = [sys.executable, "-c", "from dispatch.cli import main; main()", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
