"""What requests look like; snapshots are described by `dispatch.domain`, options here."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from api.settings import MAX_DEADLINE_MS
from dispatch.config import FairnessRules, FrontierMethod
from dispatch.domain import STRICT, Snapshot
from dispatch.operating import ByWeights, OperatingPoint

Milliseconds = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_DEADLINE_MS,
        description="Counted from the request's arrival; null: the server's default. "
        "The server may allow less.",
    ),
]
InputMode = Annotated[
    Literal["strict", "lenient"],
    Field(description="Lenient sets broken orders and couriers aside and names them."),
]


Fairness = Annotated[
    FairnessRules | None,
    Field(description="What is shared evenly per hour online; null: the configuration's."),
]
Method = Annotated[
    FrontierMethod | None,
    Field(
        description="By weights (sweep), or every point of it in the time there is (exact); null: "
        "the configuration's."
    ),
]


@dataclass(frozen=True, slots=True)
class AssignOptions:
    """How one snapshot is to be decided."""

    __pydantic_config__ = STRICT

    operating_point: OperatingPoint = field(default_factory=ByWeights)
    deadline_ms: Milliseconds = None
    include_frontier: Annotated[
        bool, Field(description="Also trace the efficiency-fairness frontier.")
    ] = False
    frontier_method: Method = None
    fairness: Fairness = None
    mode: InputMode = "strict"


@dataclass(frozen=True, slots=True)
class FrontierOptions:
    """How the frontier of one snapshot is to be traced."""

    __pydantic_config__ = STRICT

    points: Annotated[
        int | None,
        Field(
            ge=3,
            le=1001,
            description="Weights to try, null: the configuration's; or points to stop an exact "
            "frontier at, null: all.",
        ),
    ] = None
    method: Method = None
    fairness: Fairness = None
    deadline_ms: Milliseconds = None
    mode: InputMode = "strict"


@dataclass(frozen=True, slots=True)
class AssignRequest:
    """A snapshot, and how it is to be decided."""

    __pydantic_config__ = STRICT

    snapshot: Snapshot
    options: AssignOptions = field(default_factory=AssignOptions)


@dataclass(frozen=True, slots=True)
class FrontierRequest:
    """A snapshot, and how its frontier is to be traced."""

    __pydantic_config__ = STRICT

    snapshot: Snapshot
    options: FrontierOptions = field(default_factory=FrontierOptions)


ASSIGN_OPTIONS = TypeAdapter(AssignOptions)
FRONTIER_OPTIONS = TypeAdapter(FrontierOptions)
