"""How a user says which point of the trade-off to dispatch at: weights, a bound, or the knee."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from dispatch.config import Weight
from dispatch.domain import STRICT

ObjectiveName = Literal["acceptance", "delivery_time", "fairness"]


@dataclass(frozen=True, slots=True)
class ByWeights:
    """Minimise the weighted sum; a weight left out keeps the configuration's."""

    __pydantic_config__ = STRICT

    kind: Literal["weights"] = "weights"
    acceptance: Weight | None = None
    delivery_time: Weight | None = None
    lateness: Weight | None = None
    fairness: Weight | None = None


@dataclass(frozen=True, slots=True)
class ByBound:
    """Minimise the weighted sum among plans that keep one objective within a limit.

    Acceptance must reach at least `limit` expected orders; delivery time may be at most `limit`
    minutes over all waiting orders; the fairness spread at most `limit` orders squared an hour.
    """

    __pydantic_config__ = STRICT

    objective: ObjectiveName
    limit: Annotated[float, Field(ge=-1e12, le=1e12)]
    kind: Literal["bound"] = "bound"


@dataclass(frozen=True, slots=True)
class AtKnee:
    """Take the frontier point farthest from the line between its ends."""

    __pydantic_config__ = STRICT

    kind: Literal["knee"] = "knee"


OperatingPoint = Annotated[ByWeights | ByBound | AtKnee, Field(discriminator="kind")]
