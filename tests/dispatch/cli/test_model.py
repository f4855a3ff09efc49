"""`dispatch model`: the card is written, and a verdict comes with its exit code."""

import json
from pathlib import Path

import numpy as np
import pytest

from dispatch.cli.outcome import BAD_MODEL, DRIFTED, INVALID_INPUT
from dispatch.datasets import load_sample_offers, write_offers


@pytest.fixture(scope="module")
def sour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's later offers, a third of the acceptances turned down."""
    log = load_sample_offers().iloc[2500:4000]
    still = np.random.default_rng(0).random(len(log)) < 0.67
    file = tmp_path_factory.mktemp("sour") / "offers.parquet"
    write_offers(log.assign(accepted=(log["accepted"] * still).astype("int8")), file)
    return file


def test_the_card_is_written_as_markdown_json_and_picture(run, model: Path, tmp_path: Path) -> None:
    done = run("model", "card", "--model", model, "--out", tmp_path / "card")
    assert done.exit_code == 0, done.stderr
    facts = json.loads((tmp_path / "card" / "card.json").read_text())
    assert facts["version"] in (tmp_path / "card" / "card.md").read_text()
    assert (tmp_path / "card" / "reliability.png").stat().st_size > 10_000


def test_its_own_log_is_no_alarm(run, model: Path, offers_file: Path) -> None:
    done = run("model", "check", offers_file, "--model", model)
    assert done.exit_code == 0, done.stdout
    assert "Acceptance by day" in done.stdout


def test_couriers_gone_sour_are_an_alarm_with_an_exit_code(run, model: Path, sour: Path) -> None:
    done = run("model", "check", sour, "--model", model, "--json")
    assert done.exit_code == DRIFTED
    report = json.loads(done.stdout)
    assert report["verdict"] == "alarm"
    assert report["overall"]["observed"] < report["overall"]["predicted"]


def test_a_damaged_model_is_refused(run, broken_model: Path, offers_file: Path) -> None:
    done = run("model", "check", offers_file, "--model", broken_model)
    assert done.exit_code == BAD_MODEL
    assert "SHA-256 differs" in done.stderr


def test_a_leaking_log_is_refused_with_its_reason(run, tmp_path: Path) -> None:
    log = load_sample_offers().head(2500)
    leaking = log.assign(trip_m=log["trip_m"].where(log["accepted"] == 1, 0.0))
    write_offers(leaking, tmp_path / "leak.parquet")
    done = run("train", tmp_path / "leak.parquet", "--out", tmp_path / "model")
    assert done.exit_code == INVALID_INPUT
    assert "trip_m: 0 exactly where the offer was refused" in done.stderr
    assert not (tmp_path / "model").exists()


def test_parameters_come_from_a_file_and_every_slip_in_it_is_told(
    run, offers_file: Path, snapshot_file: Path, tmp_path: Path
) -> None:
    """What a deployment refuses is left out at training and turned away at loading."""
    params, folder = tmp_path / "train.toml", tmp_path / "model"
    params.write_text("n_bags = 0\nmax_trees = 20\npropensity_weights = true\n")
    done = run("train", offers_file, "--out", folder, "--params", params)
    assert done.exit_code == 0, done.stderr
    config = tmp_path / "config.toml"
    config.write_text('refused = ["vehicle"]\n')
    done = run("assign", snapshot_file, "--model", folder, "--config", config)
    assert done.exit_code == BAD_MODEL
    assert "vehicle: refused by this deployment; train without it" in done.stderr
    config.write_text('refused = ["vehicel"]\n')
    done = run("assign", snapshot_file, "--model", folder, "--config", config)
    assert "vehicel: neither a feature nor a raw column" in done.stderr
    config.write_text('refused = ["vehicle"]\n')
    params.write_text('n_bags = 0\nmax_trees = 20\nrefused = ["vehicle"]\n')
    assert run("train", offers_file, "--out", folder, "--params", params).exit_code == 0
    assert run("assign", snapshot_file, "--model", folder, "--config", config).exit_code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("leafs = 3", "unknown parameters leafs"),
        ("leaves = 1\nl2 = -1.0", "expected l2 in"),
        ("seed = 1", "the seed is --seed"),
        ("leaves =", "train.toml"),
    ],
)
def test_training_parameters_that_do_not_fit_are_refused(
    run, offers_file: Path, tmp_path: Path, text: str, told: str
) -> None:
    params = tmp_path / "train.toml"
    params.write_text(text)
    done = run("train", offers_file, "--out", tmp_path / "model", "--params", params)
    assert done.exit_code == INVALID_INPUT
    assert told in done.stderr
