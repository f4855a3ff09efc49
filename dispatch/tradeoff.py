"""The efficiency-fairness frontier as it is reported: plans nobody can improve for free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dispatch.config import FrontierMethod
from dispatch.domain import STRICT

if TYPE_CHECKING:
    import pandas as pd

UNCORRECTED: Final = "naive, summed by the model that chose"


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One plan of the efficiency-fairness frontier, in the units of `Objectives`, as solved.

    Attributes
    ----------
    expected_acceptances, naive_acceptances
        Corrected for having been chosen by the model that counts them, as far as the report's
        `acceptance_basis` says, and what that model claims, by which points are found.
    delivery_time_min, lateness_min, fairness_spread
        As in `Objectives`, pairs added up.
    efficiency
        Weighted sum of acceptance, delivery time and lateness, minimised.
    weights
        That found it in a sweep; empty for a point of an exact frontier.
    gap, engine
        What is proven, and by whom.
    knee
        Whether it is the point farthest from the line between the ends.
    supported
        Whether some weighted sum finds it; None where that is not known.
    acceptance_lost, spread_removed
        The price of fairness: shares of the most efficient plan's acceptances and spread.
    """

    __pydantic_config__ = STRICT

    expected_acceptances: float
    naive_acceptances: float
    delivery_time_min: float
    lateness_min: float
    fairness_spread: float
    efficiency: float
    weights: Mapping[str, float]
    gap: float
    engine: str
    knee: bool = False
    supported: bool | None = None
    acceptance_lost: float = 0.0
    spread_removed: float = 0.0


@dataclass(frozen=True, slots=True)
class FrontierReport:
    """Non-dominated points from the most efficient to the fairest.

    Attributes
    ----------
    points
        At least one.
    efficiency_weights
        Per order and minute.
    complete
        Of a sweep: every weight was solved to proof. Of an exact frontier: no point is missing.
    method, note
        How it was found, and what a reader has to know of it.
    ideal, nadir
        Best and worst of each axis over the points: efficiency and spread.
    hypervolume, hypervolume_gap, open_boxes
        Share of the rectangle from ideal to nadir that the points dominate; the most that points
        not found could add, and in how many rectangles they may be. A sweep cannot know the last
        two (None, 0).
    fairness_unit
        Of the spread.
    acceptance_basis
        How the expected acceptances were made, and whether they are corrected.
    """

    __pydantic_config__ = STRICT

    points: tuple[FrontierPoint, ...]
    efficiency_weights: Mapping[str, float]
    complete: bool
    method: FrontierMethod = "sweep"
    note: str = ""
    ideal: tuple[float, float] = (0.0, 0.0)
    nadir: tuple[float, float] = (0.0, 0.0)
    hypervolume: float = 1.0
    hypervolume_gap: float | None = None
    open_boxes: int = 0
    fairness_unit: str = "orders²/h"
    acceptance_basis: str = UNCORRECTED

    def priced(self) -> "FrontierReport":
        """Return the report with every point's price of fairness: what it loses and removes."""
        first = self.points[0]
        points = tuple(
            replace(
                point,
                acceptance_lost=_share(first.expected_acceptances, point.expected_acceptances),
                spread_removed=_share(first.fairness_spread, point.fairness_spread),
            )
            for point in self.points
        )
        return replace(self, points=points)

    def corrected(self, acceptances: Sequence[float], basis: str) -> "FrontierReport":
        """Return the report with other expected acceptances, point by point, and their price."""
        pairs = zip(self.points, acceptances, strict=True)
        points = tuple(replace(point, expected_acceptances=value) for point, value in pairs)
        return replace(self, points=points, acceptance_basis=basis).priced()

    def spread_removed_for(self, acceptance: float) -> float:
        """Most of the spread that can be removed for this share of the acceptances, in [0, 1]."""
        return max(p.spread_removed for p in self.points if p.acceptance_lost <= acceptance)

    def to_frame(self) -> "pd.DataFrame":
        """One row per point."""
        import pandas as pd

        rows = [
            {
                "expected_acceptances": p.expected_acceptances,
                "naive_acceptances": p.naive_acceptances,
                "delivery_time_min": p.delivery_time_min,
                "lateness_min": p.lateness_min,
                "fairness_spread": p.fairness_spread,
                "efficiency": p.efficiency,
                **{f"weight_{name}": value for name, value in p.weights.items()},
                "gap": p.gap,
                "engine": p.engine,
                "knee": p.knee,
                "supported": p.supported,
                "acceptance_lost": p.acceptance_lost,
                "spread_removed": p.spread_removed,
            }
            for p in self.points
        ]
        return pd.DataFrame(rows)


def _share(first: float, here: float) -> float:
    return (first - here) / first if first else 0.0
