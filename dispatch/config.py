"""Every parameter of a dispatch, with its default, in frozen dataclasses; loadable from one TOML.

The TOML has one table per class (`[candidates]`, `[bundles]`, `[objective]`, `[fairness]`,
`[hold]`, `[offers]`); what it leaves out keeps its default, what it misspells is an error. The
configuration's hash is part of every plan.
"""

import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from dispatch.domain import STRICT
from dispatch.errors import InvalidInputError, Problem
from dispatch.validate import structural_findings

LEAST_WEIGHT = 1e-4  # below it, costs rounded to integers would all be zero


def _not_lost_in_rounding(weight: float) -> float:
    if 0 < weight < LEAST_WEIGHT:
        raise ValueError(f"must be 0 or at least {LEAST_WEIGHT:g}")
    return weight


FairnessName = Literal["orders", "hours", "earnings"]
FrontierMethod = Literal["sweep", "exact"]
ScoringName = Literal["native", "numba", "lightgbm", "mlx"]
Weight = Annotated[float, Field(ge=0, le=1e6), AfterValidator(_not_lost_in_rounding)]


@dataclass(frozen=True, slots=True)
class CandidateRules:
    """Which couriers are considered for an order.

    `couriers_per_order` caps the candidates; bounds are then over these candidates.
    `shift_covers` says whether a shift must last to the end of the dropoff or just the pickup.
    """

    __pydantic_config__ = STRICT

    couriers_per_order: Annotated[int, Field(ge=1, le=1000)] = 40
    max_pickup_m: Annotated[float, Field(gt=0, le=200_000)] = 15_000.0
    max_new_orders: Annotated[int, Field(ge=1, le=3)] = 2
    shift_covers: Literal["dropoff", "pickup"] = "dropoff"


@dataclass(frozen=True, slots=True)
class BundleRules:
    """Which orders may be offered together, taken or refused whole.

    Of two or three orders (`candidates.max_new_orders`) with their best stop sequence. Each order
    looks for `mates_per_order` others that lengthen its trip least and are ready within
    `max_ready_gap_s` of it, tried with the `couriers_per_pair` or `couriers_per_triple` nearest
    couriers; each courier is tried with its `orders_per_courier` nearest orders by twos besides.
    Not `enabled`: a courier's orders are separate offers, priced as if alone and timed
    together afterwards.
    `one_visit_per_place`: pickups in a row at one place are one visit, served once. `finish_first`:
    a courier delivers all it carries before the next pickup, but for those of one visit; bundles
    are then chains of jobs, one place each.
    `open_stops`: how many of the last stops a courier has on board, and has not begun, new ones may
    come before, offered singly or as bundles; 0: new stops come after all of them. Nobody with an
    order on board then waits longer for it than `delay_on_board_s`, or past a promise that would
    have been kept. Not together with the two rules above.
    """

    __pydantic_config__ = STRICT

    enabled: bool = False
    mates_per_order: Annotated[int, Field(ge=1, le=50)] = 6
    couriers_per_pair: Annotated[int, Field(ge=1, le=1000)] = 12
    couriers_per_triple: Annotated[int, Field(ge=1, le=1000)] = 8
    orders_per_courier: Annotated[int, Field(ge=1, le=50)] = 10
    max_ready_gap_s: Annotated[float, Field(gt=0, le=7200)] = 900.0
    one_visit_per_place: bool = False
    finish_first: bool = False
    open_stops: Annotated[int, Field(ge=0, le=4)] = 0
    delay_on_board_s: Annotated[float, Field(ge=0, le=7200)] = 300.0

    @property
    def reopened(self) -> int:
        """How many stops on board are open to new ones before them."""
        return 0 if self.one_visit_per_place or self.finish_first else self.open_stops


@dataclass(frozen=True, slots=True)
class Objective:
    """What one unit of each objective is worth: raw weights, nothing is normalised.

    `acceptance` per order expected to be accepted, `delivery_time` per minute to the door (a
    refused or unassigned order counts `retry_s` more than its slowest candidate), `lateness` per
    minute past the promise, `fairness` per unit of spread; left out, the fairness notion's own
    (`dispatch.notions`: 0.02 for orders squared an hour).
    """

    __pydantic_config__ = STRICT

    acceptance: Weight = 1.0
    delivery_time: Weight = 0.02
    lateness: Weight = 0.02
    fairness: Weight | None = None
    retry_s: Annotated[float, Field(gt=0, le=7200)] = 120.0
    online_floor_s: Annotated[float, Field(ge=60, le=86_400)] = 1800.0


@dataclass(frozen=True, slots=True)
class FairnessRules:
    """What is to be shared evenly: past and new work of one kind per hour online.

    `notion`: `orders`, `hours` of work (from being free to the end of the trip), or `earnings` (the
    couriers' pay). Nobody whose rate would pass `max_per_hour` of it gets work: orders an hour,
    hours an hour (0.8: at most 48 minutes of an hour), money an hour.
    """

    __pydantic_config__ = STRICT

    notion: FairnessName = "orders"
    max_per_hour: Annotated[float | None, Field(gt=0, le=1e6)] = None


@dataclass(frozen=True, slots=True)
class HoldRules:
    """Which orders may be kept for the next epoch on purpose, and at what price.

    `none`: no order. `reached`: an order is held rather than offered where its expected time to the
    door is shorter if some courier reaches its pickup `minutes` from now; never past its promise.
    `half_trip`: as `reached`, less half the trip's time, what sharing the trip with a later order
    could save at most.
    """

    __pydantic_config__ = STRICT

    policy: Literal["none", "reached", "half_trip"] = "none"
    minutes: Annotated[float, Field(ge=0, le=240)] = 10.0


@dataclass(frozen=True, slots=True)
class OfferRules:
    """How offers are made: how long they live, and how many rivals are kept to explain them.

    A share `explored` of the near-ties, rivals that would cost at most `near_tie` more in the
    weighted sum, is decided at random, so that the log can later tell what other choices would
    have brought; only where dispatch is by weights and pairs are added up. Drawn from
    `explore_seed` and the snapshot.
    """

    __pydantic_config__ = STRICT

    expires_after_s: Annotated[float, Field(gt=0, le=3600)] = 90.0
    rivals: Annotated[int, Field(ge=0, le=50)] = 5
    explored: Annotated[float, Field(ge=0, le=1)] = 0.0
    near_tie: Annotated[float, Field(ge=0, le=10)] = 0.02
    explore_seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


@dataclass(frozen=True, slots=True)
class DispatchConfig:
    """All parameters of `Dispatcher`; `policy_id` names the operating policy in every plan.

    `caution` in (0, 1) decides by the lower end of each acceptance interval of that level, and the
    plan's probabilities are those; 0 decides by the probability itself. A frontier is found by
    `frontier_points` weights (`frontier_method` sweep), or is every non-dominated plan there is
    (exact), as far as time allows. `refused` names raw columns and features, such as proxies of a
    protected trait, that no model served here may use. `scoring_backend` names what scores
    (`dispatch versions` lists what works here); the fastest that works by default.
    """

    __pydantic_config__ = STRICT

    policy_id: Annotated[str, Field(min_length=1, max_length=64)] = "default"
    candidates: CandidateRules = field(default_factory=CandidateRules)
    bundles: BundleRules = field(default_factory=BundleRules)
    objective: Objective = field(default_factory=Objective)
    fairness: FairnessRules = field(default_factory=FairnessRules)
    hold: HoldRules = field(default_factory=HoldRules)
    offers: OfferRules = field(default_factory=OfferRules)
    frontier_points: Annotated[int, Field(ge=3, le=1001)] = 11
    frontier_method: FrontierMethod = "sweep"
    caution: Annotated[float, Field(ge=0, lt=1)] = 0.0
    refused: tuple[str, ...] = ()
    scoring_backend: ScoringName | None = None

    @property
    def sha256(self) -> str:
        """Hash of all parameters, defaults included."""
        return hashlib.sha256(_CONFIG.dump_json(self)).hexdigest()


_CONFIG = TypeAdapter(DispatchConfig)


def load_config(path: str | Path) -> DispatchConfig:
    """Read a configuration from TOML.

    Raises
    ------
    InvalidInputError
        Unreadable TOML, unknown names and values out of range, all at once.
    """
    try:
        raw = tomllib.loads(Path(path).read_text())
        return _CONFIG.validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        problems = [Problem(f.path, f.message) for f in structural_findings(error, "configuration")]
    except OSError as error:
        problems = [Problem(str(path), (error.strerror or "cannot be read").lower())]
    except ValueError as error:
        problems = [Problem(str(path), f"is not valid TOML: {error}")]
    raise InvalidInputError("configuration", problems)
