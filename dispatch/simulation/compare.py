"""Policies compared on the same days with the same couriers, pair by pair."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dispatch.simulation.environment import DayLog
from dispatch.simulation.measures import summarise
from dispatch.simulation.runs import flat, live
from dispatch.simulation.spec import RunSpec

BETTER_LOW: Mapping[str, bool] = {
    "orders.penalised_excess_min": True,
    "orders.click_to_door_min.mean": True,
    "orders.click_to_door_min.p90": True,
    "orders.ready_to_pickup_min.mean": True,
    "orders.undelivered_share": True,
    "orders.late_share": True,
    "offers.acceptance_rate": False,
    "offers.per_order": True,
    "couriers.ridden_km": True,
    "fairness.orders_per_online_h.gini": True,
    "fairness.earnings_per_online_h.gini": True,
    "fairness.earnings_per_online_h.worst_decile": False,
    "fairness.orders_per_online_h.nothing": True,
}
"""The metrics compared, and whether less of them is better."""

LEVEL = 0.95
_DRAWS = 10_000
_BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One metric of a policy less that of the first policy, over paired days.

    `low` to `high` is a percentile bootstrap interval of the mean difference; `wins` are the pairs
    in which the policy was better.
    """

    metric: str
    policy: str
    base_mean: float
    mean: float
    difference: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Every policy on every day: `values[policy][metric]` by pair, shape (pairs,)."""

    pairs: tuple[str, ...]
    values: Mapping[str, Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]]

    def differences(self, rng: np.random.Generator) -> list[PairedDifference]:
        """Compare every policy with the first, metric by metric."""
        base, *others = self.values
        return [
            _difference(metric, name, self.values[base][metric], self.values[name][metric], rng)
            for name in others
            for metric in BETTER_LOW
        ]


def compare(
    specs: Mapping[str, Sequence[RunSpec]],
    progress: Callable[[int, int], None] | None = None,
    keep: Callable[[RunSpec, DayLog], None] | None = None,
) -> Comparison:
    """Live through the same days with several policies.

    Parameters
    ----------
    specs
        Runs by policy, the k-th of each with the same day, couriers and seed.
    progress
        Told how many runs are done, of how many.
    keep
        Given every run as it ends.

    Raises
    ------
    ValueError
        Policies with different days, couriers or seeds.
    """
    lists = list(specs.values())
    pairs = [(s.source, s.couriers, s.seed) for s in lists[0]]
    if any([(s.source, s.couriers, s.seed) for s in each] != pairs for each in lists):
        raise ValueError("policies can be compared on the same days, couriers and seeds only")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in specs}
    labels: list[str] = []
    done, total = 0, len(pairs) * len(specs)
    for k in range(len(pairs)):
        for name, runs in specs.items():
            log = live(runs[k])
            metrics = dict(flat(summarise(log)))
            found[name].append({m: _float(metrics[m]) for m in BETTER_LOW})
            if keep is not None:
                keep(runs[k], log)
            done += 1
            if progress is not None:
                progress(done, total)
        labels.append(f"{log.day.name}, seed {runs[k].seed}")
    return Comparison(
        pairs=tuple(labels),
        values={
            name: {m: np.array([row[m] for row in rows]) for m in BETTER_LOW}
            for name, rows in found.items()
        },
    )


def mean_interval(
    values: np.ndarray[Any, np.dtype[np.float64]],
    rng: np.random.Generator,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, from values of shape (n,)."""
    n = len(values)
    means = np.concatenate(
        [values[rng.integers(n, size=(_BLOCK, n))].mean(axis=1) for _ in range(_DRAWS // _BLOCK)]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _difference(
    metric: str,
    name: str,
    base: np.ndarray[Any, np.dtype[np.float64]],
    own: np.ndarray[Any, np.dtype[np.float64]],
    rng: np.random.Generator,
) -> PairedDifference:
    known = ~np.isnan(base) & ~np.isnan(own)
    change = (own - base)[known]
    gain = -change if BETTER_LOW[metric] else change
    low, high = mean_interval(change, rng) if len(change) > 1 else (np.nan, np.nan)
    return PairedDifference(
        metric=metric,
        policy=name,
        base_mean=float(base[known].mean()) if known.any() else np.nan,
        mean=float(own[known].mean()) if known.any() else np.nan,
        difference=float(change.mean()) if known.any() else np.nan,
        low=low,
        high=high,
        wins=int((gain > 0).sum()),
        losses=int((gain < 0).sum()),
        ties=int((gain == 0).sum()),
    )


def _float(value: float | None) -> float:
    return np.nan if value is None else float(value)
