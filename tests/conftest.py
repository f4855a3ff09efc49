"""Shared by all rooms: a small real-looking city, a model whose law is known, broken input."""

import copy
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from dispatch.config import DispatchConfig
from dispatch.domain import (
    BoardStop,
    Capacity,
    Courier,
    Handover,
    Location,
    Order,
    PastWork,
    PendingOffer,
    Refusal,
    Snapshot,
    StopKind,
    Vehicle,
    VehicleKind,
    Weather,
)
from dispatch.pipeline import Dispatcher
from dispatch.snapshot import to_json
from dispatch.tables import Floats

NOW = datetime(2026, 3, 6, 18, 30, tzinfo=UTC)


class LogitStub:
    """Accepts with logit 1 - to_pickup_s / 600 + 0.3 (pay - 4): nearer and better paid is better.

    `before` is called ahead of every answer, for tests of what happens meanwhile.
    """

    version = "stub-logit-1"

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self._before = before

    def predict_proba(self, columns: dict[str, Floats]) -> Floats:
        self._before()
        logit = 1.0 - columns["to_pickup_s"] / 600 + 0.3 * (columns["pay"] - 4.0)
        return np.clip(1 / (1 + np.exp(-logit)), 1e-4, 1 - 1e-4)


def _minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def _place(lat: float, lon: float, before_s: float = 60.0, after_s: float = 30.0) -> Handover:
    return Handover(Location(lat, lon), before_s, after_s)


def make_small_snapshot() -> Snapshot:
    """Six orders and five couriers within 4 km of Vienna's Stephansplatz, Friday evening.

    o1 to o4 wait plainly; o2 needs the skill `cold` (c1, c2); o4 was refused by c3; o5 is urgent
    (priority 5) and ready later; o6 is locked by c5's pending offer. c4 still has a dropoff on
    board. So at most o1 to o5 can be offered, to c1 to c4.
    """
    orders = (
        Order(
            id="o1",
            pickup=_place(48.208531, 16.372541),
            dropoff=_place(48.201173, 16.366217),
            placed_at=NOW - _minutes(6),
            ready_at=NOW + _minutes(4),
            due_at=NOW + _minutes(34),
            value=Decimal("24.90"),
            pay=Decimal("4.80"),
            merchant_id="m1",
            zone="inner",
        ),
        Order(
            id="o2",
            pickup=_place(48.204719, 16.380127),
            dropoff=_place(48.212537, 16.394283),
            placed_at=NOW - _minutes(4),
            ready_at=NOW + _minutes(6),
            due_at=NOW + _minutes(36),
            pay=Decimal("5.20"),
            required_skills=("cold",),
            merchant_id="m2",
            zone="inner",
        ),
        Order(
            id="o3",
            pickup=_place(48.198347, 16.354819),
            dropoff=_place(48.191253, 16.341937),
            placed_at=NOW - _minutes(9),
            ready_at=NOW - _minutes(1),
            pay=Decimal("4.10"),
            size=2,
            zone="west",
        ),
        Order(
            id="o4",
            pickup=_place(48.215629, 16.358913),
            dropoff=_place(48.222417, 16.349871),
            placed_at=NOW - _minutes(12),
            ready_at=NOW,
            due_at=NOW + _minutes(23),
            pay=Decimal("5.60"),
            attempt=2,
            refusals=(Refusal("c3", NOW - _minutes(3), "too far"),),
            zone="west",
        ),
        Order(
            id="o5",
            pickup=_place(48.210273, 16.364731),
            dropoff=_place(48.205891, 16.352617),
            placed_at=NOW - _minutes(1),
            ready_at=NOW + _minutes(11),
            due_at=NOW + _minutes(41),
            pay=Decimal("4.40"),
            priority=5,
            zone="inner",
        ),
        Order(
            id="o6",
            pickup=_place(48.196481, 16.371359),
            dropoff=_place(48.188127, 16.378643),
            placed_at=NOW - _minutes(8),
            ready_at=NOW + _minutes(2),
            pay=Decimal("4.00"),
            zone="inner",
        ),
    )
    couriers = (
        Courier(
            id="c1",
            position=Location(48.207361, 16.375293),
            capacity=Capacity(2, 10),
            shift_end=NOW + _minutes(180),
            skills=("cold",),
            past_work=PastWork(6, Decimal("29.50"), 5400, 9000, 9, 6),
        ),
        Courier(
            id="c2",
            position=Location(48.211947, 16.384619),
            vehicle=Vehicle(VehicleKind.EBIKE, range_m=40_000),
            capacity=Capacity(2, 10),
            skills=("cold",),
            past_work=PastWork(4, Decimal("21.00"), 3600, 7200, 5, 4),
        ),
        Courier(
            id="c3",
            position=Location(48.213583, 16.361729),
            vehicle=Vehicle(VehicleKind.MOTORCYCLE),
            capacity=Capacity(2, 20),
            heading_deg=210.0,
            last_offer_at=NOW - _minutes(3),
            past_work=PastWork(8, Decimal("41.20"), 7000, 9000, 14, 8),
        ),
        Courier(
            id="c4",
            position=Location(48.199813, 16.349457),
            capacity=Capacity(2, 10),
            available_at=NOW + _minutes(1),
            on_board=(
                BoardStop(
                    StopKind.DROPOFF, "b1", _place(48.202639, 16.345781), due_at=NOW + _minutes(15)
                ),
            ),
            load_size=1,
            past_work=PastWork(2, Decimal("9.80"), 1500, 3600, 2, 2),
        ),
        Courier(
            id="c5",
            position=Location(48.197257, 16.369143),
            vehicle=Vehicle(VehicleKind.CAR),
            pending_offers=(PendingOffer("p1", ("o6",), NOW - _minutes(0.5), NOW + _minutes(1)),),
            past_work=PastWork(online_s=1200, offers=1),
        ),
    )
    return Snapshot(
        now=NOW,
        orders=orders,
        couriers=couriers,
        city_id="vienna",
        timezone="Europe/Vienna",
        request_id="small-1",
        skills=("cold",),
        zones=("inner", "west"),
        weather=Weather(0.4, 7.5),
    )


@pytest.fixture(scope="session")
def small_snapshot() -> Snapshot:
    return make_small_snapshot()


@pytest.fixture
def small_raw(small_snapshot: Snapshot) -> dict[str, Any]:
    """The small snapshot as plain JSON data, free to be changed."""
    raw: dict[str, Any] = json.loads(to_json(small_snapshot))
    return raw


@pytest.fixture(scope="session")
def stub_model() -> LogitStub:
    return LogitStub()


@pytest.fixture(scope="session")
def make_stub_model() -> Callable[[Callable[[], None]], LogitStub]:
    """Build a stub that calls something (a sleep, a gate) before it answers."""
    return LogitStub


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which nothing is compiled, whatever other tests have left behind."""
    ladder = sys.modules["optimization.solve"]
    for name in ("is_ready", "is_warm"):
        monkeypatch.setattr(ladder, name, lambda: False)


@pytest.fixture(scope="session")
def dispatcher(stub_model: LogitStub) -> Dispatcher:
    return Dispatcher(stub_model, DispatchConfig())


@dataclass(frozen=True)
class Broken:
    """A snapshot that must be refused, and the field its refusal must name."""

    name: str
    text: bytes
    path: str


_GONE = object()
_MATRIX = {
    "location_ids": ["a", "b"],
    "classes": [{"vehicle": "bicycle", "seconds": [[0, 60], [60, 0]], "metres": [[0, 9], [9, 0]]}],
}
_PICKUP = {
    "kind": "pickup",
    "order_id": "b7",
    "place": {"location": {"lat": 48.203917, "lon": 16.347213}},
}

# name, where the small snapshot is changed, to what (@...@ is written as is), the field to name
_EDITS: tuple[tuple[str, str, object, str], ...] = (
    ("order id twice", "orders.1.id", "o1", "orders[*].id"),
    ("courier id twice", "couriers.1.id", "c1", "couriers[*].id"),
    ("NaN latitude", "orders.0.pickup.location.lat", "@NaN@", "pickup.location.lat"),
    ("infinite longitude", "orders.0.dropoff.location.lon", "@Infinity@", "dropoff.location.lon"),
    ("1e999 latitude", "couriers.0.position.lat", "@1e999@", "couriers[*].position.lat"),
    ("latitude out of range", "orders.0.pickup.location.lat", 91.734519, "pickup.location.lat"),
    ("longitude out of range", "couriers.2.position.lon", -181.4713, "couriers[*].position.lon"),
    ("latitude false", "orders.0.pickup.location.lat", False, "pickup.location.lat"),
    ("latitude as text", "orders.0.pickup.location.lat", "41.028173", "pickup.location.lat"),
    ("latitude null", "orders.0.pickup.location.lat", None, "pickup.location.lat"),
    ("id a number", "orders.0.id", 17, "orders[*].id"),
    ("id empty", "orders.0.id", "", "orders[*].id"),
    ("id with a control character", "couriers.0.id", "c\n1", "couriers[*].id"),
    ("id too long", "orders.0.id", "x" * 129, "orders[*].id"),
    ("orders null", "orders", None, "orders"),
    ("orders an object", "orders", {}, "orders"),
    ("an order that is a list", "orders.2", [], "orders[*]"),
    ("naive now", "now", "2026-03-06T18:30:00", "now"),
    ("naive due time", "orders.0.due_at", "2026-03-06T19:00:00", "orders[*].due_at"),
    ("time that is none", "orders.0.placed_at", "yesterday", "orders[*].placed_at"),
    ("time as a number", "orders.0.ready_at", 1772821800, "orders[*].ready_at"),
    ("time before year 1 in UTC", "now", "0001-01-01T00:00:00+14:00", "now"),
    ("time at the end of the calendar", "now", "9999-12-31T23:59:59Z", "now"),
    ("due before placed", "orders.0.due_at", "2026-03-06T18:00:00Z", "orders[*].due_at"),
    ("ready before placed", "orders.0.ready_at", "2026-03-06T18:00:00Z", "orders[*].ready_at"),
    ("placed in the future", "orders.0.placed_at", "2026-03-06T18:31:00Z", "orders[*].placed_at"),
    ("negative capacity", "couriers.0.capacity.orders", -1, "couriers[*].capacity.orders"),
    ("fractional size", "orders.0.size", 1.5, "orders[*].size"),
    ("huge integer", "orders.0.size", 10**400, "orders[*].size"),
    ("integer past Python's digit limit", "orders.0.size", "@" + "9" * 5000 + "@", "snapshot"),
    ("negative pay", "orders.0.pay", "-0.50", "orders[*].pay"),
    ("pay NaN", "orders.0.pay", "NaN", "orders[*].pay"),
    ("pay finer than the currency", "orders.0.pay", "4.00001", "orders[*].pay"),
    ("crawling speed", "couriers.0.vehicle.speed_mps", 1e-300, "vehicle.speed_mps"),
    ("unknown vehicle", "couriers.0.vehicle.kind", "sled", "couriers[*].vehicle.kind"),
    ("unknown skill of an order", "orders.0.required_skills", ["ice"], "required_skills"),
    ("unknown skill of a courier", "couriers.0.skills", ["ice"], "couriers[*].skills"),
    ("unknown zone", "orders.0.zone", "moon", "orders[*].zone"),
    ("misspelt field", "orders.0.redy_at", "2026-03-06T18:30:00Z", "orders[*].redy_at"),
    ("unknown snapshot field", "citty", "vienna", "citty"),
    ("missing pickup", "orders.0.pickup", _GONE, "orders[*].pickup"),
    ("missing latitude", "couriers.0.position.lat", _GONE, "couriers[*].position.lat"),
    ("missing now", "now", _GONE, "now"),
    ("unknown timezone", "timezone", "Europe/Wien", "timezone"),
    ("timezone that is a path", "timezone", "../../etc/passwd", "timezone"),
    ("bad currency", "currency", "euro", "currency"),
    ("schema version unknown", "schema_version", "9.9", "schema_version"),
    ("refused twice", "orders.3.refusals.1", {"courier_id": "c3", "at": "2026-03-06T18:28:00Z"},
     "refusals[*].courier_id"),
    ("pending offer of an unknown order", "couriers.4.pending_offers.0.order_ids", ["o99"],
     "pending_offers[*].order_ids"),
    ("pickup without dropoff", "couriers.0.on_board", [_PICKUP], "on_board[*].order_id"),
    ("waiting and on board", "couriers.3.on_board.0.order_id", "o1", "orders[*].id"),
    ("acceptances exceed offers", "couriers.0.past_work.acceptances", 10, "past_work.acceptances"),
    ("matrix not covering the orders", "travel_matrix", _MATRIX, "pickup.location.location_id"),
    ("matrix of the wrong shape", "travel_matrix",
     _MATRIX | {"location_ids": ["a", "b", "c"]}, "travel_matrix.classes[*].seconds"),
    ("matrix with NaN", "travel_matrix",
     _MATRIX | {"classes": [_MATRIX["classes"][0] | {"seconds": [[0, "@NaN@"], [1, 0]]}]},  # type: ignore[index]
     "travel_matrix.classes[*].seconds"),
    ("matrix with a negative time", "travel_matrix",
     _MATRIX | {"classes": [_MATRIX["classes"][0] | {"metres": [[0, -1], [1, 0]]}]},  # type: ignore[index]
     "travel_matrix.classes[*].metres"),
    ("matrix lacking a vehicle class", "travel_matrix", _MATRIX, "couriers[*].vehicle.kind"),
)  # fmt: skip

_VALID = to_json(make_small_snapshot())

_TEXTS: tuple[tuple[str, bytes, str], ...] = (
    ("empty", b"", "snapshot"),
    ("truncated", _VALID[: len(_VALID) // 2].encode(), "snapshot"),
    ("not an object", b"[]", "snapshot"),
    ("a number", b"17", "snapshot"),
    ("null", b"null", "snapshot"),
    ("deeply nested", b"[" * 100_000 + b"]" * 100_000, "snapshot"),
    ("a deeply nested field",
     b'{"orders":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "snapshot"),
    ("invalid UTF-8", _VALID.replace("vienna", "\udcff").encode(errors="surrogateescape"),
     "snapshot"),
    ("half a surrogate pair", _VALID.replace("vienna", "\\ud800").encode(), "snapshot"),
    ("byte order mark", b"\xef\xbb\xbf" + _VALID.encode(), "snapshot"),
    ("two values", _VALID.encode() + b"{}", "snapshot"),
    ("a field twice", _VALID.replace('"lat":', '"lat":48.201391,"lat":', 1).encode(), "lat"),
)  # fmt: skip


def _edit(path: str, value: object) -> bytes:
    raw = json.loads(_VALID)
    *parents, leaf = (int(key) if key.isdigit() else key for key in path.split("."))
    place = raw
    for key in parents:
        place = place[key]
    if value is _GONE:
        del place[leaf]
    elif isinstance(place, list) and leaf == len(place):
        place.append(copy.deepcopy(value))
    else:
        place[leaf] = copy.deepcopy(value)
    return json.dumps(raw).replace('"@', "").replace('@"', "").encode()


BROKEN = tuple(
    [Broken(name, _edit(path, value), field) for name, path, value, field in _EDITS]
    + [Broken(name, text, field) for name, text, field in _TEXTS]
)


@pytest.fixture(params=BROKEN, ids=[case.name for case in BROKEN])
def broken(request: pytest.FixtureRequest) -> Broken:
    """Each hand-made broken snapshot in turn: `.name`, `.text` (bytes), `.path` to be named."""
    case: Broken = request.param
    return case
