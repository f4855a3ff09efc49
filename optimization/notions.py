"""The fairness notions by name: definition, unit, source, and how far each can be optimised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.fairness import fairness_measures

Rates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Notion:
    """One way to say how fair rates of work are; a smaller key is fairer.

    Attributes
    ----------
    name, unit, definition, source
        In words.
    optimised
        How the engines reach it: "exact" as a term or limit, or "sweep" of the convex spread
        judged by this measure.
    property
        What is known of its formulations.
    key
        Rates (m,) to a tuple compared element by element; one element except for leximin.
    floor
        Rates without the new work and most rates attainable, (m,) each, to a number that no plan's
        key is below; work only adds.
    """

    name: str
    unit: str
    definition: str
    source: str
    optimised: str
    property: str
    key: Callable[[Rates], tuple[float, ...]]
    floor: Callable[[Rates, Rates], float]


def _zero(_past: Rates, _most: Rates) -> float:
    return 0.0


def _most_past(past: Rates, _most: Rates) -> float:
    return float(past.max())


def _most_for_the_worst(_past: Rates, most: Rates) -> float:
    return -float(most.min())


NOTIONS: Mapping[str, Notion] = {
    notion.name: notion
    for notion in (
        Notion(
            "spread",
            "rate",
            "population standard deviation of the rates; as a term, sum h (rate - target)^2",
            "Ibaraki and Katoh, Resource Allocation Problems, 1988",
            "exact",
            "tight: convex and separable over couriers; the column bound is within 1e-3, mostly "
            "1e-4, of the optimum",
            lambda r: (fairness_measures(r).spread_sd,),
            _zero,
        ),
        Notion(
            "max",
            "rate",
            "largest rate (min-max)",
            "Matl, Hartl and Vidal, Transportation Science 52, 2018",
            "exact",
            "as a cap on every rate it is a limit and tight; as a weighted maximum its relaxation "
            "is 2 % (60 x 100) to 8 % off",
            lambda r: (float(r.max()),),
            _most_past,
        ),
        Notion(
            "worst_off",
            "rate",
            "smallest rate, negated (max-min)",
            "Rawls, A Theory of Justice, 1971",
            "sweep",
            "weak: couriers without a candidate decide it; a relaxation may split an order",
            lambda r: (-float(r.min()),),
            _most_for_the_worst,
        ),
        Notion(
            "leximin",
            "rates",
            "rates in rising order, compared from the smallest on",
            "Sen, Collective Choice and Social Welfare, 1970",
            "sweep",
            "unproven beyond counts of orders, where feasible counts are M-convex and the least "
            "squares are leximin too",
            lambda r: tuple((-np.sort(r)).tolist()),
            _most_for_the_worst,
        ),
        Notion(
            "mean_absolute_deviation",
            "rate",
            "mean of |rate - mean rate|",
            "Marsh and Schilling, European Journal of Operational Research 74, 1994",
            "sweep",
            "unproven at 60 x 100 around the realised mean (the program's gap stays at 1 %); "
            "around a fixed target it is convex, separable and tight",
            lambda r: (fairness_measures(r).mean_absolute_deviation,),
            _zero,
        ),
        Notion(
            "range",
            "rate",
            "largest minus smallest rate",
            "Matl, Hartl and Vidal, Transportation Science 52, 2018",
            "sweep",
            "weak: the relaxation is 10 % (60 x 100) to over 20 % off; not monotone",
            lambda r: (fairness_measures(r).range,),
            lambda past, most: max(0.0, float(past.max()) - float(most.min())),
        ),
        Notion(
            "gini",
            "1",
            "sum_ij |r_i - r_j| / (2 m^2 mean)",
            "Gini, Variabilità e mutabilità, 1912",
            "sweep",
            "unproven at 60 x 100: pairwise differences, a ratio once the total varies",
            lambda r: (fairness_measures(r).gini,),
            _zero,
        ),
    )
}
"""Every notion, in the order of the documentation."""
