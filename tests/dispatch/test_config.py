"""Configuration: one TOML, every mistake named at once, a hash of all of it."""

from pathlib import Path

import pytest

from dispatch.config import DispatchConfig, load_config
from dispatch.errors import InvalidInputError


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    file.write_text('policy_id = "fair"\n[objective]\nfairness = 0.5\n')
    config = load_config(file)
    assert config.policy_id == "fair"
    assert config.objective.fairness == 0.5
    assert config.candidates == DispatchConfig().candidates
    assert config.sha256 != DispatchConfig().sha256


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    file.write_text(
        "[objective]\nfairness = -1.0\nfairnes = 1.0\n[candidates]\nmax_new_orders = 9\n"
    )
    with pytest.raises(InvalidInputError) as refused:
        load_config(file)
    assert {p.path for p in refused.value.problems} == {
        "objective.fairness",
        "objective.fairnes",
        "candidates.max_new_orders",
    }


@pytest.mark.parametrize("text", ["policy_id = ", "\x00"])
def test_text_that_is_no_toml_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(InvalidInputError, match="configuration"):
        load_config(tmp_path / "bad.toml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        load_config(tmp_path / "none.toml")
