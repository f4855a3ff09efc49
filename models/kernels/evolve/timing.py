"""Paired times to speed-ups with an interval, and when they are not to be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MEAN_WITHIN: Final = 0.01
EACH_WITHIN: Final = 0.05
"""How far the same kernel against itself may be from 1, over all scenarios and in each."""

_DRAWS: Final = 2000
_LEVEL: Final = 0.95

Seconds = Mapping[str, Sequence[Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Speedups:
    """Baseline time over candidate time.

    Attributes
    ----------
    scenarios
        Median over the pairs of each scenario.
    mean, low, high
        Geometric mean over scenarios, and its 95 % interval from resampling the pairs of each.
    """

    scenarios: dict[str, float]
    mean: float
    low: float
    high: float

    @property
    def slower(self) -> dict[str, float]:
        """Scenarios in which the candidate lost."""
        return {name: ratio for name, ratio in self.scenarios.items() if ratio < 1.0}


def speedups(seconds: Seconds, seed: int = 0) -> Speedups:
    """Summarise (baseline, candidate) seconds of each scenario's pairs.

    Raises
    ------
    ValueError
        If there is nothing to summarise.
    """
    if not seconds:
        raise ValueError("no scenario was timed")
    rng = np.random.default_rng(seed)
    logs = {name: np.log(np.divide(*np.asarray(pairs).T)) for name, pairs in seconds.items()}
    drawn = np.mean([_medians(own, rng) for own in logs.values()], axis=0)
    tail = 50.0 * (1.0 - _LEVEL)
    low, high = np.exp(np.percentile(drawn, [tail, 100.0 - tail]))
    medians = {name: float(np.median(own)) for name, own in logs.items()}
    return Speedups(
        {name: float(np.exp(value)) for name, value in medians.items()},
        float(np.exp(np.mean(list(medians.values())))),
        float(low),
        float(high),
    )


def void_because(same: Speedups) -> str:
    """Say why a report beside this A/A run cannot be believed; empty where it can."""
    if abs(same.mean - 1.0) > MEAN_WITHIN:
        return f"the same kernel against itself came out {same.mean:.3f}"
    off = {n: r for n, r in same.scenarios.items() if abs(r - 1.0) > EACH_WITHIN}
    named = ", ".join(f"{name} {ratio:.3f}" for name, ratio in list(off.items())[:3])
    return f"the same kernel against itself came out otherwise in {named}" if off else ""


def _medians(logs: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(np.median(rng.choice(logs, (_DRAWS, len(logs))), axis=1))
