"""What is dispatched: orders, couriers, the stops between them, and the moment they are seen in.

These frozen dataclasses are the snapshot's schema too: the JSON reader, the published JSON Schema
and the HTTP API all derive from the annotations here, so a field is described exactly once.
Times are timezone-aware, durations seconds, distances metres, money decimal amounts in the
snapshot's one currency.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, PlainSerializer, WithJsonSchema

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always")


SCHEMA_VERSION: Literal["1.0"] = "1.0"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain_amount(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


Id = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[^\s\x00-\x1f](.*[^\s\x00-\x1f])?$")
]
Seconds = Annotated[float, Field(ge=0, le=31_536_000)]
Metres = Annotated[float, Field(ge=0, le=40_075_000)]
Money = Annotated[
    Decimal,
    Field(ge=0, le=1_000_000_000, decimal_places=4),
    PlainSerializer(_plain_amount, return_type=str),
]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Tally = Annotated[
    int | float,
    Field(ge=0, le=1_000_000, description="A count; a fraction where older ones count less."),
]


class VehicleKind(StrEnum):
    """Class of vehicle; names the travel-time matrix to use and a feature of acceptance."""

    FOOT = "foot"
    BICYCLE = "bicycle"
    EBIKE = "ebike"
    MOTORCYCLE = "motorcycle"
    CAR = "car"


@dataclass(frozen=True, slots=True)
class Location:
    """A point on the earth; `location_id` links it to a row of a travel-time matrix."""

    __pydantic_config__ = STRICT

    lat: Annotated[float, Field(ge=-90, le=90, description="Degrees north, WGS 84.")]
    lon: Annotated[float, Field(ge=-180, le=180, description="Degrees east, WGS 84.")]
    location_id: Annotated[
        Id | None, Field(description="Row and column of the travel-time matrix, if one is given.")
    ] = None


@dataclass(frozen=True, slots=True)
class Handover:
    """A place where an order changes hands, and the time that takes.

    The order changes hands `service_before_s` after arrival at the earliest (parking, walking in)
    and the courier leaves `service_after_s` later.
    """

    __pydantic_config__ = STRICT

    location: Location
    service_before_s: Annotated[Seconds, Field(description="From arrival to the handover.")] = 0.0
    service_after_s: Annotated[Seconds, Field(description="From the handover to leaving.")] = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A courier's earlier refusal of an order; the order is not offered to that courier again."""

    __pydantic_config__ = STRICT

    courier_id: Id
    at: Moment
    reason: Annotated[str | None, Field(max_length=200)] = None


@dataclass(frozen=True, slots=True)
class MerchantPast:
    """How earlier offers of a merchant's orders were answered, counted as in the log trained on."""

    __pydantic_config__ = STRICT

    offers: Tally = 0
    acceptances: Tally = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A delivery waiting for a courier."""

    __pydantic_config__ = STRICT

    id: Id
    pickup: Handover
    dropoff: Handover
    placed_at: Moment
    ready_at: Annotated[Moment, Field(description="When the order can be picked up.")]
    due_at: Annotated[
        Moment | None, Field(description="The promise to the customer; null if none.")
    ] = None
    value: Annotated[Money, Field(description="What the customer pays for the goods.")] = Decimal(0)
    pay: Annotated[Money, Field(description="What the courier earns.")] = Decimal(0)
    size: Annotated[int, Field(ge=0, le=1_000_000, description="Units of courier capacity.")] = 1
    priority: Annotated[
        int, Field(ge=1, le=10, description="1 is normal; leaving an order costs this much more.")
    ] = 1
    required_skills: tuple[Id, ...] = ()
    merchant_id: Id | None = None
    merchant_past: MerchantPast = field(default_factory=MerchantPast)
    zone: Id | None = None
    attempt: Annotated[int, Field(ge=1, le=1000, description="1 for the first offer.")] = 1
    refusals: tuple[Refusal, ...] = ()


class StopKind(StrEnum):
    """What happens at a stop."""

    PICKUP = "pickup"
    DROPOFF = "dropoff"


@dataclass(frozen=True, slots=True)
class BoardStop:
    """A stop a courier has already accepted and still has to make."""

    __pydantic_config__ = STRICT

    kind: StopKind
    order_id: Id
    place: Handover
    ready_at: Annotated[Moment | None, Field(description="Pickups only.")] = None
    due_at: Annotated[Moment | None, Field(description="Dropoffs only.")] = None
    size: Annotated[
        int | None,
        Field(
            ge=0,
            le=1_000_000,
            description="Units of capacity; null: unknown, so load_size counts to the last stop.",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class PendingOffer:
    """An offer a courier has not answered yet: its orders and its courier are locked."""

    __pydantic_config__ = STRICT

    offer_id: Id
    order_ids: Annotated[tuple[Id, ...], Field(min_length=1)]
    offered_at: Moment
    expires_at: Moment


@dataclass(frozen=True, slots=True)
class PastWork:
    """A courier's work in the fairness window, as the platform's ledger knows it."""

    __pydantic_config__ = STRICT

    orders: Count = 0
    earnings: Money = Decimal(0)
    busy_s: Annotated[Seconds, Field(description="Time with an order on board.")] = 0.0
    online_s: Annotated[Seconds, Field(description="Time online, busy or not.")] = 0.0
    offers: Tally = 0
    acceptances: Tally = 0


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What a courier moves with."""

    __pydantic_config__ = STRICT

    kind: VehicleKind = VehicleKind.BICYCLE
    speed_mps: Annotated[
        float | None, Field(ge=0.1, le=70, description="Metres a second; null: the kind's default.")
    ] = None
    range_m: Annotated[Metres | None, Field(description="Distance left in the tank.")] = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much a courier can have on board at once."""

    __pydantic_config__ = STRICT

    orders: Annotated[int, Field(ge=0, le=100)] = 1
    size: Count = 1_000_000


@dataclass(frozen=True, slots=True)
class Courier:
    """Somebody online who can be offered work."""

    __pydantic_config__ = STRICT

    id: Id
    position: Location
    vehicle: Vehicle = field(default_factory=Vehicle)
    capacity: Capacity = field(default_factory=Capacity)
    heading_deg: Annotated[
        float | None, Field(ge=0, lt=360, description="Clockwise from north, if known.")
    ] = None
    available_at: Annotated[
        Moment | None, Field(description="Not before this time; null: now.")
    ] = None
    shift_end: Moment | None = None
    skills: tuple[Id, ...] = ()
    on_board: Annotated[
        tuple[BoardStop, ...], Field(description="Stops still to make, in their sequence.")
    ] = ()
    pending_offers: tuple[PendingOffer, ...] = ()
    load_size: Annotated[
        int, Field(ge=0, le=1_000_000, description="Size of the orders on board.")
    ] = 0
    last_offer_at: Moment | None = None
    past_work: PastWork = field(default_factory=PastWork)


@dataclass(frozen=True, slots=True)
class Weather:
    """The weather in the city, where known; a feature of acceptance."""

    __pydantic_config__ = STRICT

    precipitation_mm_h: Annotated[float | None, Field(ge=0, le=500)] = None
    temperature_c: Annotated[float | None, Field(ge=-90, le=60)] = None


@dataclass(frozen=True, slots=True)
class ClassMatrix:
    """Travel seconds and metres between all pairs of a matrix's locations for a vehicle class."""

    __pydantic_config__ = STRICT

    vehicle: VehicleKind
    seconds: tuple[tuple[Seconds, ...], ...]
    metres: tuple[tuple[Metres, ...], ...]


@dataclass(frozen=True, slots=True)
class TravelMatrix:
    """Travel times you bring: `seconds[i][j]` leads from `location_ids[i]` to `[j]`."""

    __pydantic_config__ = STRICT

    location_ids: Annotated[tuple[Id, ...], Field(min_length=1)]
    classes: Annotated[tuple[ClassMatrix, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything known at one decision epoch."""

    __pydantic_config__ = STRICT

    now: Moment
    orders: Annotated[tuple[Order, ...], Field(max_length=100_000)]
    couriers: Annotated[tuple[Courier, ...], Field(max_length=100_000)]
    city_id: Id = "default"
    timezone: Annotated[str, Field(description="IANA name; local hours are read in it.")] = "UTC"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")] = "EUR"
    request_id: Id | None = None
    skills: Annotated[
        tuple[Id, ...], Field(description="The skills this city knows; others are an error.")
    ] = ()
    zones: Annotated[
        tuple[Id, ...], Field(description="The zones this city knows; empty: not checked.")
    ] = ()
    weather: Weather = field(default_factory=Weather)
    travel_matrix: TravelMatrix | None = None
    schema_version: Literal["1.0"] = SCHEMA_VERSION
