"""A planted world in which it matters what else a courier carries and is offered.

Couriers are offered one to four orders at once. Whoever carries orders likes one that goes the same
way, and an order is wanted less beside better ones. Neither shows in the columns of an offer alone.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from dispatch.datasets.law import PlantedLaw
from dispatch.datasets.ranges import check_ranges, ranged
from dispatch.datasets.synthetic import CLOSE_HOUR, FLEET, OPEN_HOUR, day_start_s
from dispatch.datasets.worlds import N_DAYS, OFFERS_PER_DAY
from dispatch.datasets.worlds_tables import History, WorldCouriers, WorldOrders, measure, take
from dispatch.errors import InvalidInputError, Problem
from dispatch.tables import KIND_CODE, KINDS, Floats, Ints

OFFERED: Final = (0.4, 0.3, 0.2, 0.1)
"""Chances of one, two, three and four orders on offer at once."""

CARRIED: Final = (0.35, 0.30, 0.20, 0.15)
"""Chances of no, one, two and three stops on board."""

_SPREAD: Final = 0.6
"""Radians (sd) by which the stops on board lie off the way that their courier goes."""

_STOP_S: Final = (120.0, 400.0)
"""Least and most time that a stop on board takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLaw:
    """What `alone` says of an offer, and two effects of what there is beside it.

    log-odds = those of `alone`
    + `along` * sum over stops on board of cos(angle between the ways to the stop and the dropoff)
    - `rivals` * log(1 + sum over rivals of exp(log-odds of the rival alone - those of the offer))
    """

    alone: PlantedLaw = field(default_factory=lambda: PlantedLaw(intercept=2.2))
    along: float = ranged(0.6, -10, 10, "log-odds for each stop that lies exactly the same way")
    rivals: float = ranged(0.8, -10, 10, "share of the log-odds that a choice among all would take")

    def __post_init__(self) -> None:
        check_ranges(self)


class DrawnSets:
    """One draw of the world.

    Attributes
    ----------
    log
        `n_offers` offers in time order, as `dispatch.datasets.read_offers` gives them, with the
        places of pickup and dropoff in metres from where the courier is.
    stops
        The stops on board at each moment: `courier_id`, `offered_at`, `east_m`, `north_m`.
    truth, log_odds
        True chance of acceptance of each offer (n,), and its log-odds without the hidden effect of
        who the courier is.

    Raises
    ------
    InvalidInputError
        If `n_offers` is not in [200, 10,000,000].
    """

    def __init__(
        self,
        law: SetLaw,
        n_offers: int,
        seed: int,
        courier_sd: float = 0.5,
        radius_m: float = 1_200.0,
    ) -> None:
        if not 200 <= n_offers <= 10_000_000:
            message = f"expected n_offers in [200, 10000000], got {n_offers!r}"
            raise InvalidInputError("planted world", [Problem("n_offers", message)])
        rng = np.random.default_rng([seed, n_offers, 2])
        moment = np.repeat(np.arange(n_offers), 1 + rng.choice(len(OFFERED), n_offers, p=OFFERED))
        moment = moment[:n_offers]
        count = int(moment[-1]) + 1
        now_s = np.array([day_start_s(day) for day in range(N_DAYS)])[
            rng.integers(N_DAYS, size=count)
        ]
        now_s = np.sort(np.floor(now_s + rng.uniform(OPEN_HOUR, CLOSE_HOUR, count) * 3600))
        asked, stop_moment, stops_m = self._ask(rng, count, n_offers, courier_sd, radius_m)
        orders = WorldOrders.draw(rng, now_s[moment], radius_m)
        couriers = take(asked, moment)
        raw = measure(orders, couriers)
        alone = _logit(law.alone.probability(raw, np.zeros(n_offers)))
        from_m = couriers.place_m
        self.log_odds = (
            alone
            + law.along * _along(orders.dropoff_m - from_m, moment, stops_m, stop_moment)
            - law.rivals * (_together(alone, moment) - alone)
        )
        self.truth = 1 / (1 + np.exp(-(self.log_odds + couriers.effect)))
        accepted = rng.uniform(size=n_offers) < self.truth
        history = History(couriers.who, orders.now_s, accepted)
        who = np.char.add("c", asked.who.astype(str)).astype(object)
        at = pd.to_datetime(pd.Series(now_s), unit="s", utc=True)
        number = np.arange(n_offers).astype(str)
        self.log = pd.DataFrame(
            {
                "offer_id": np.char.add("f", number).astype(object),
                "order_id": np.char.add("o", number).astype(object),
                "courier_id": who[moment],
                "offered_at": at.iloc[moment].array,
                "accepted": accepted.astype(np.int8),
                **raw,
                **history.columns(couriers.who, orders.now_s),
                "vehicle": np.array([kind.value for kind in KINDS], dtype=object)[couriers.kind],
                **_metres("pickup_", orders.pickup_m - from_m),
                **_metres("dropoff_", orders.dropoff_m - from_m),
            }
        )
        self.stops = pd.DataFrame(
            {"courier_id": who[stop_moment], "offered_at": at.iloc[stop_moment].array}
            | _metres("", stops_m)
        )

    def _ask(
        self, rng: np.random.Generator, count: int, n_offers: int, sd: float, radius_m: float
    ) -> tuple[WorldCouriers, Ints, Floats]:
        """Draw who is asked at each moment, and in metres from there the stops they have."""
        m = max(n_offers // (OFFERS_PER_DAY * N_DAYS), 20)
        share = np.array([share for share, _ in FLEET.values()])
        codes = np.array([KIND_CODE[kind] for kind in FLEET], dtype=np.int64)
        kind, effect = codes[rng.choice(len(share), m, p=share)], rng.normal(0, sd, m)
        who = rng.integers(m, size=count)
        stops = rng.choice(len(CARRIED), count, p=CARRIED)
        stop_moment = np.repeat(np.arange(count), stops)
        way = rng.uniform(0, 2 * np.pi, count)[stop_moment]
        way += rng.normal(0, _SPREAD, len(way))
        away_m = rng.lognormal(np.log(1_500), 0.5, len(way))
        couriers = WorldCouriers.draw(rng, who, kind[who], effect[who], radius_m)
        load = stops.astype(np.float64)
        busy_s = load * rng.uniform(*_STOP_S, count)
        return (
            replace(couriers, load_orders=load, load_size=load, until_free_s=busy_s),
            stop_moment,
            away_m * np.stack([np.cos(way), np.sin(way)]),
        )


def _metres(prefix: str, metres: Floats) -> dict[str, Floats]:
    return {f"{prefix}east_m": metres[0], f"{prefix}north_m": metres[1]}


def _logit(probability: Floats) -> Floats:
    return np.asarray(np.log(probability) - np.log1p(-probability))


def _along(way_m: Floats, moment: Ints, stops_m: Floats, stop_moment: Ints) -> Floats:
    """Sum over the stops of its moment of the cosine to each offer's way (2, n), shape (n,)."""
    unit = stops_m / np.hypot(*stops_m)
    total = [np.bincount(stop_moment, each, minlength=int(moment[-1]) + 1) for each in unit]
    return np.asarray((np.stack(total)[:, moment] * way_m).sum(axis=0) / np.hypot(*way_m))


def _together(log_odds: Floats, moment: Ints) -> Floats:
    """Logarithm of the summed odds of all offers of a moment, for each of them, shape (n,)."""
    return np.asarray(np.log(np.bincount(moment, np.exp(log_odds))[moment]))
