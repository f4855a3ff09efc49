"""Speed-ups from paired times: medians, intervals that hold what was planted, void reports."""

from __future__ import annotations

import numpy as np
import pytest

from models.kernels.evolve.timing import Speedups, speedups, void_because


def planted(ratio: float, noise: float, seed: int, n: int = 31) -> dict[str, list[list[float]]]:
    """Times of 20 scenarios; the machine's speed drifts, and both of a pair feel it."""
    rng = np.random.default_rng(seed)
    found = {}
    for k in range(20):
        drift = np.exp(rng.normal(0, 0.5, n))
        own = np.exp(rng.normal(0, noise, (n, 2)))
        found[f"s{k}"] = (np.array([ratio, 1.0]) * 1e-3 * drift[:, None] * own).tolist()
    return found


def test_the_interval_holds_the_planted_speed_up_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        found = speedups(planted(1.4, 0.1, seed))
        held += found.low <= 1.4 <= found.high
    assert held >= 51  # of 60 at 95 %: fewer with probability 0.0005


def test_pairs_cancel_what_both_feel() -> None:
    assert speedups(planted(1.25, 1e-6, 3)).mean == pytest.approx(1.25, abs=1e-4)


def test_regressions_are_listed() -> None:
    seconds = {"fast": [[2.0, 1.0]] * 5, "slow": [[1.0, 2.0]] * 5}
    found = speedups(seconds)
    assert found.slower == {"slow": 0.5}
    assert found.mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("mean", "worst", "void"), [(1.004, 1.04, False), (1.02, 1.02, True), (1.0, 0.94, True)]
)
def test_a_report_is_void_where_the_same_kernel_differs_from_itself(
    mean: float, worst: float, void: bool
) -> None:
    same = Speedups({"a": 1.0, "b": worst}, mean, mean, mean)
    assert bool(void_because(same)) is void


def test_nothing_timed_is_no_speed_up() -> None:
    with pytest.raises(ValueError, match="no scenario"):
        speedups({})
