"""The snapshot as columns: what every stage past the door computes with.

Objects live at the edges; here each order and each courier is a row of aligned arrays, built once
per snapshot. Times are UTC epoch seconds (float64), unknown numbers NaN.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from dispatch.domain import Courier, Location, Order, Snapshot, StopKind, VehicleKind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS: tuple[VehicleKind, ...] = tuple(VehicleKind)
KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}


def epoch_s(moment: datetime | None) -> float:
    """Seconds since 1970 in UTC, or NaN for no moment."""
    return float("nan") if moment is None else moment.timestamp()


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Locations as arrays, shape (n,): degrees, and the travel-time matrix's row (-1: none)."""

    lat: Floats
    lon: Floats
    row: Ints

    @classmethod
    def of(cls, locations: Iterable[Location], rows: dict[str, int]) -> "Points":
        """Gather locations; `rows` maps location ids to matrix rows."""
        places = list(locations)
        return cls(
            lat=_floats(p.lat for p in places),
            lon=_floats(p.lon for p in places),
            row=np.array([rows.get(p.location_id or "", -1) for p in places], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.lat)

    def __getitem__(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> "Points":
        return Points(self.lat[index], self.lon[index], self.row[index])


@dataclass(frozen=True, slots=True, eq=False)
class OrderTable:
    """Waiting orders, one per row; shape (n,)."""

    ids: tuple[str, ...]
    pickup: Points
    dropoff: Points
    placed_s: Floats
    ready_s: Floats
    due_s: Floats
    pickup_before_s: Floats
    pickup_after_s: Floats
    dropoff_before_s: Floats
    dropoff_after_s: Floats
    pay: Floats
    value: Floats
    size: Ints
    priority: Ints
    attempt: Ints
    merchant_offers: Floats
    merchant_accepted: Floats
    skills: NDArray[np.uint64]
    locked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class CourierTable:
    """Couriers online, one per row; shape (m,)."""

    ids: tuple[str, ...]
    position: Points
    kind: Ints
    speed_mps: Floats
    heading_deg: Floats
    range_m: Floats
    most_orders: Ints
    most_size: Ints
    free_orders: Ints
    free_size: Ints
    load_orders: Ints
    load_size: Ints
    available_s: Floats
    shift_end_s: Floats
    last_offer_s: Floats
    skills: NDArray[np.uint64]
    pending: NDArray[np.bool_]
    past_orders: Ints
    past_earnings: Floats
    past_busy_s: Floats
    online_s: Floats
    past_offers: Floats
    past_acceptances: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class BoardTable:
    """Stops on board of all couriers in courier order, each courier's in sequence; shape (s,).

    `size` is -1 where unknown.
    """

    courier: Ints
    position: Ints
    place: Points
    is_pickup: NDArray[np.bool_]
    ready_s: Floats
    due_s: Floats
    before_s: Floats
    after_s: Floats
    size: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """A snapshot as arrays.

    `refused` holds the (order row, courier row) pairs that may not be offered again, shape (r, 2).
    """

    now_s: float
    orders: OrderTable
    couriers: CourierTable
    board: BoardTable
    refused: Ints


def _skill_bits(skills: Iterable[tuple[str, ...]], known: tuple[str, ...]) -> NDArray[np.uint64]:
    """Pack skill names into words of 64 bits, shape (n, ceil(len(known) / 64))."""
    place = {name: i for i, name in enumerate(known)}
    rows = list(skills)
    bits = np.zeros((len(rows), max(1, -(-len(known) // 64))), dtype=np.uint64)
    for i, names in enumerate(rows):
        for name in names:
            bits[i, place[name] // 64] |= np.uint64(1) << np.uint64(place[name] % 64)
    return bits


def _order_table(
    orders: tuple[Order, ...], rows: dict[str, int], skills: tuple[str, ...], locked: set[str]
) -> OrderTable:
    return OrderTable(
        ids=tuple(o.id for o in orders),
        pickup=Points.of((o.pickup.location for o in orders), rows),
        dropoff=Points.of((o.dropoff.location for o in orders), rows),
        placed_s=_floats(epoch_s(o.placed_at) for o in orders),
        ready_s=_floats(epoch_s(o.ready_at) for o in orders),
        due_s=_floats(epoch_s(o.due_at) for o in orders),
        pickup_before_s=_floats(o.pickup.service_before_s for o in orders),
        pickup_after_s=_floats(o.pickup.service_after_s for o in orders),
        dropoff_before_s=_floats(o.dropoff.service_before_s for o in orders),
        dropoff_after_s=_floats(o.dropoff.service_after_s for o in orders),
        pay=_floats(float(o.pay) for o in orders),
        value=_floats(float(o.value) for o in orders),
        size=np.array([o.size for o in orders], dtype=np.int64),
        priority=np.array([o.priority for o in orders], dtype=np.int64),
        attempt=np.array([o.attempt for o in orders], dtype=np.int64),
        merchant_offers=_floats(o.merchant_past.offers if o.merchant_id else None for o in orders),
        merchant_accepted=_floats(
            o.merchant_past.acceptances if o.merchant_id else None for o in orders
        ),
        skills=_skill_bits((o.required_skills for o in orders), skills),
        locked=np.array([o.id in locked for o in orders], dtype=np.bool_),
    )


def _courier_table(
    couriers: tuple[Courier, ...], rows: dict[str, int], skills: tuple[str, ...]
) -> CourierTable:
    load = np.array([len({s.order_id for s in c.on_board}) for c in couriers], dtype=np.int64)
    load_size = np.array([c.load_size for c in couriers], dtype=np.int64)
    orders = np.array([c.capacity.orders for c in couriers], dtype=np.int64)
    size = np.array([c.capacity.size for c in couriers], dtype=np.int64)
    return CourierTable(
        ids=tuple(c.id for c in couriers),
        position=Points.of((c.position for c in couriers), rows),
        kind=np.array([KIND_CODE[c.vehicle.kind] for c in couriers], dtype=np.int64),
        speed_mps=_floats(c.vehicle.speed_mps for c in couriers),
        heading_deg=_floats(c.heading_deg for c in couriers),
        range_m=_floats(c.vehicle.range_m for c in couriers),
        most_orders=orders,
        most_size=size,
        free_orders=np.maximum(orders - load, 0),
        free_size=np.maximum(size - load_size, 0),
        load_orders=load,
        load_size=load_size,
        available_s=_floats(epoch_s(c.available_at) for c in couriers),
        shift_end_s=_floats(epoch_s(c.shift_end) for c in couriers),
        last_offer_s=_floats(epoch_s(c.last_offer_at) for c in couriers),
        skills=_skill_bits((c.skills for c in couriers), skills),
        pending=np.array([bool(c.pending_offers) for c in couriers], dtype=np.bool_),
        past_orders=np.array([c.past_work.orders for c in couriers], dtype=np.int64),
        past_earnings=_floats(float(c.past_work.earnings) for c in couriers),
        past_busy_s=_floats(c.past_work.busy_s for c in couriers),
        online_s=_floats(c.past_work.online_s for c in couriers),
        past_offers=_floats(c.past_work.offers for c in couriers),
        past_acceptances=_floats(c.past_work.acceptances for c in couriers),
    )


def _board_table(couriers: tuple[Courier, ...], rows: dict[str, int]) -> BoardTable:
    stops = [(j, k, s) for j, c in enumerate(couriers) for k, s in enumerate(c.on_board)]
    return BoardTable(
        courier=np.array([j for j, _, _ in stops], dtype=np.int64),
        position=np.array([k for _, k, _ in stops], dtype=np.int64),
        place=Points.of((s.place.location for _, _, s in stops), rows),
        is_pickup=np.array([s.kind is StopKind.PICKUP for _, _, s in stops], dtype=np.bool_),
        ready_s=_floats(epoch_s(s.ready_at) for _, _, s in stops),
        due_s=_floats(epoch_s(s.due_at) for _, _, s in stops),
        before_s=_floats(s.place.service_before_s for _, _, s in stops),
        after_s=_floats(s.place.service_after_s for _, _, s in stops),
        size=np.array([-1 if s.size is None else s.size for _, _, s in stops], dtype=np.int64),
    )


def tabulate(snapshot: Snapshot) -> Tables:
    """Turn a validated snapshot into arrays."""
    matrix = snapshot.travel_matrix
    rows = {} if matrix is None else {name: i for i, name in enumerate(matrix.location_ids)}
    courier_row = {c.id: j for j, c in enumerate(snapshot.couriers)}
    refused = [
        (i, courier_row[r.courier_id])
        for i, o in enumerate(snapshot.orders)
        for r in o.refusals
        if r.courier_id in courier_row
    ]
    locked = {name for c in snapshot.couriers for p in c.pending_offers for name in p.order_ids}
    return Tables(
        now_s=snapshot.now.timestamp(),
        orders=_order_table(snapshot.orders, rows, snapshot.skills, locked),
        couriers=_courier_table(snapshot.couriers, rows, snapshot.skills),
        board=_board_table(snapshot.couriers, rows),
        refused=np.array(refused, dtype=np.int64).reshape(-1, 2),
    )
