"""Collect everything wrong with a snapshot, and say it once.

Structure (types, ranges, unknown fields) is checked against the annotations of `domain`; what
fields mean together (a promise before the order was placed, a matrix of the wrong shape) by the
rules here. Problems of the same kind are one line with the first five ids.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import TypeAdapter, ValidationError

from dispatch.domain import BoardStop, Courier, Location, Order, Snapshot, StopKind
from dispatch.errors import MAX_IDS, InvalidInputError, Problem

Room = Literal["orders", "couriers", "snapshot"]

MAX_NAME = 128  # of a name the sender made up, in an error

_SNAPSHOT = TypeAdapter(Snapshot)

# pydantic's words, where ours tell the fix better; none of them repeats the value
_MESSAGES = {
    "missing": "required field is missing",
    "missing_argument": "required field is missing",
    "unexpected_keyword_argument": "unknown field; remove it or check its spelling",
    "extra_forbidden": "unknown field; remove it or check its spelling",
    "timezone_aware": "time has no UTC offset; write it as 2026-01-31T18:00:00Z",
    "datetime_type": "must be an RFC 3339 time such as 2026-01-31T18:00:00Z",
    "datetime_parsing": "must be an RFC 3339 time such as 2026-01-31T18:00:00Z",
    "datetime_from_date_parsing": "must be an RFC 3339 time such as 2026-01-31T18:00:00Z",
    "finite_number": "must be a finite number, not NaN or infinity",
    "decimal_type": "must be a decimal amount such as 12.50",
    "decimal_parsing": "must be a decimal amount such as 12.50",
    "union_tag_invalid": "is not a kind that is known here",
    "union_tag_not_found": "required field kind is missing",
    "dataclass_type": "must be an object",
    "dataclass_exact_type": "must be an object",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at one row of the snapshot (`row` -1: the snapshot itself)."""

    room: Room
    row: int
    path: str
    message: str


def structural_findings(error: ValidationError, whole: str = "snapshot") -> list[Finding]:
    """Translate pydantic's errors; indices become `[*]`, the input itself is called `whole`."""
    return [
        _structural_finding(tuple(e["loc"]), e["type"], e["msg"], whole) for e in error.errors()
    ]


def printable(name: str) -> str:
    """Shorten a name the sender made up, and take control characters out of it."""
    return "".join(c if c.isprintable() else "?" for c in name[:MAX_NAME])


def _structural_finding(loc: tuple[int | str, ...], kind: str, message: str, whole: str) -> Finding:
    room: Room = "snapshot"
    row = -1
    if len(loc) > 1 and isinstance(loc[1], int) and loc[0] in ("orders", "couriers"):
        room = "orders" if loc[0] == "orders" else "couriers"
        row = loc[1]
    path = ""
    for part in loc:
        name = "[*]" if isinstance(part, int) else printable(part)
        path += f".{name}" if path and isinstance(part, str) else name
    if kind not in _MESSAGES:
        message = message.removeprefix("Value error, ").removeprefix("Invalid JSON: ")
        message = message[:1].lower() + message[1:]
        message = message.replace("input should", "must").replace("should", "must")
        if kind == "json_invalid":
            message = f"is not valid JSON: {message}"
    return Finding(room, row, path or whole, _MESSAGES.get(kind, message))


def as_problems(
    findings: Iterable[Finding], order_ids: Sequence[str], courier_ids: Sequence[str]
) -> list[Problem]:
    """Merge findings of one kind into one problem with its first five ids."""
    names = {"orders": order_ids, "couriers": courier_ids, "snapshot": ()}
    merged: dict[tuple[str, str], list[str]] = defaultdict(list)
    for finding in findings:
        known = names[finding.room]
        label = known[finding.row] if 0 <= finding.row < len(known) else ""
        merged[finding.path, finding.message].append(label)
    return [
        Problem(
            path,
            message,
            ids=tuple(dict.fromkeys(label for label in labels if label))[:MAX_IDS],
            count=len(labels),
        )
        for (path, message), labels in merged.items()
    ]


def validate(snapshot: Snapshot) -> None:
    """Check a snapshot built in Python as thoroughly as one read from a file.

    Raises
    ------
    InvalidInputError
        Listing every problem found.
    """
    try:
        _SNAPSHOT.validate_python(snapshot)
    except ValidationError as error:
        findings = structural_findings(error)
    else:
        findings = semantic_findings(snapshot)
    if findings:
        order_ids = [str(o.id) for o in snapshot.orders]
        courier_ids = [str(c.id) for c in snapshot.couriers]
        raise InvalidInputError("snapshot", as_problems(findings, order_ids, courier_ids))


def semantic_findings(snapshot: Snapshot) -> list[Finding]:
    """List what is wrong with a structurally sound snapshot; empty if nothing is."""
    return [
        *_snapshot_rules(snapshot),
        *_matrix_rules(snapshot),
        *_order_rules(snapshot),
        *_courier_rules(snapshot),
        *_offer_rules(snapshot),
    ]


def _repeats(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def _snapshot_rules(snapshot: Snapshot) -> Iterator[Finding]:
    def bad(path: str, message: str) -> Finding:
        return Finding("snapshot", -1, path, message)

    if not _is_timezone(snapshot.timezone):
        yield bad("timezone", "is not an IANA timezone name such as Europe/Paris")
    for path, names in (("skills", snapshot.skills), ("zones", snapshot.zones)):
        if _repeats(names):
            yield bad(path, "names are repeated; list each once")


def _is_timezone(name: str) -> bool:
    if name not in available_timezones():
        return False
    ZoneInfo(name)
    return True


def _order_rules(snapshot: Snapshot) -> Iterator[Finding]:
    repeated = _repeats(o.id for o in snapshot.orders)
    skills, zones = set(snapshot.skills), set(snapshot.zones)
    on_board = {s.order_id for c in snapshot.couriers for s in c.on_board}
    for row, order in enumerate(snapshot.orders):
        for path, message in _order_faults(order, snapshot, skills, zones):
            yield Finding("orders", row, f"orders[*].{path}", message)
        if order.id in repeated:
            yield Finding("orders", row, "orders[*].id", "is used by more than one order")
        if order.id in on_board:
            yield Finding(
                "orders", row, "orders[*].id", "is waiting and on board of a courier; keep one"
            )


def _order_faults(
    order: Order, snapshot: Snapshot, skills: set[str], zones: set[str]
) -> Iterator[tuple[str, str]]:
    if order.placed_at > snapshot.now:
        yield "placed_at", "is after the snapshot's now"
    if order.ready_at < order.placed_at:
        yield "ready_at", "is before placed_at"
    if order.due_at is not None and order.due_at <= order.placed_at:
        yield "due_at", "is not after placed_at"
    if not skills.issuperset(order.required_skills):
        yield "required_skills", "names a skill that the snapshot's skills do not list"
    if zones and order.zone is not None and order.zone not in zones:
        yield "zone", "is not among the snapshot's zones"
    if any(r.at > snapshot.now for r in order.refusals):
        yield "refusals[*].at", "is after the snapshot's now"
    if order.merchant_past.acceptances > order.merchant_past.offers:
        yield "merchant_past.acceptances", "exceeds merchant_past.offers"
    if _repeats(r.courier_id for r in order.refusals):
        yield "refusals[*].courier_id", "the same courier is listed twice"


def _courier_rules(snapshot: Snapshot) -> Iterator[Finding]:
    repeated = _repeats(c.id for c in snapshot.couriers)
    skills = set(snapshot.skills)
    holders = Counter(name for c in snapshot.couriers for name in {s.order_id for s in c.on_board})
    for row, courier in enumerate(snapshot.couriers):
        for path, message in _courier_faults(courier, snapshot, skills):
            yield Finding("couriers", row, f"couriers[*].{path}", message)
        if courier.id in repeated:
            yield Finding("couriers", row, "couriers[*].id", "is used by more than one courier")
        if any(holders[s.order_id] > 1 for s in courier.on_board):
            yield Finding(
                "couriers",
                row,
                "couriers[*].on_board[*].order_id",
                "is on board of more than one courier",
            )


def _courier_faults(
    courier: Courier, snapshot: Snapshot, skills: set[str]
) -> Iterator[tuple[str, str]]:
    work = courier.past_work
    if not skills.issuperset(courier.skills):
        yield "skills", "names a skill that the snapshot's skills do not list"
    if work.acceptances > work.offers:
        yield "past_work.acceptances", "exceeds past_work.offers"
    if work.busy_s > work.online_s:
        yield "past_work.busy_s", "exceeds past_work.online_s"
    if courier.last_offer_at is not None and courier.last_offer_at > snapshot.now:
        yield "last_offer_at", "is after the snapshot's now"
    if courier.load_size > 0 and not courier.on_board:
        yield "load_size", "is above 0 with no stops on board"
    yield from _stop_faults(courier.on_board)


def _stop_faults(stops: Sequence[BoardStop]) -> Iterator[tuple[str, str]]:
    pickups = [s.order_id for s in stops if s.kind is StopKind.PICKUP]
    dropoffs = [s.order_id for s in stops if s.kind is StopKind.DROPOFF]
    if _repeats(pickups) or _repeats(dropoffs):
        yield "on_board[*].order_id", "has the same stop twice"
        return
    place = {(s.kind, s.order_id): k for k, s in enumerate(stops)}
    for order_id in pickups:
        dropped = place.get((StopKind.DROPOFF, order_id))
        if dropped is None:
            yield "on_board[*].order_id", "has a pickup without its dropoff"
        elif dropped < place[StopKind.PICKUP, order_id]:
            yield "on_board[*].order_id", "has its dropoff before its pickup"
    for stop in stops:
        if stop.kind is StopKind.PICKUP and stop.due_at is not None:
            yield "on_board[*].due_at", "belongs to dropoffs only"
        if stop.kind is StopKind.DROPOFF and stop.ready_at is not None:
            yield "on_board[*].ready_at", "belongs to pickups only"


def _offer_rules(snapshot: Snapshot) -> Iterator[Finding]:
    known = {o.id for o in snapshot.orders}
    repeated = _repeats(p.offer_id for c in snapshot.couriers for p in c.pending_offers)
    for row, courier in enumerate(snapshot.couriers):
        for offer in courier.pending_offers:
            faults = (
                (offer.offer_id in repeated, "offer_id", "is used by more than one offer"),
                (
                    not known.issuperset(offer.order_ids),
                    "order_ids",
                    "names an order that is not in the snapshot",
                ),
                (offer.offered_at > snapshot.now, "offered_at", "is after the snapshot's now"),
                (offer.expires_at <= offer.offered_at, "expires_at", "is not after offered_at"),
                (len(set(offer.order_ids)) < len(offer.order_ids), "order_ids", "has repeats"),
            )
            for wrong, path, message in faults:
                if wrong:
                    yield Finding("couriers", row, f"couriers[*].pending_offers[*].{path}", message)


def _matrix_rules(snapshot: Snapshot) -> Iterator[Finding]:
    matrix = snapshot.travel_matrix
    if matrix is None:
        return
    size = len(matrix.location_ids)

    def bad(path: str, message: str) -> Finding:
        return Finding("snapshot", -1, f"travel_matrix.{path}", message)

    if _repeats(matrix.location_ids):
        yield bad("location_ids", "are repeated; list each once")
    if _repeats(table.vehicle for table in matrix.classes):
        yield bad("classes[*].vehicle", "has the same vehicle class twice")
    for table in matrix.classes:
        for name, rows in (("seconds", table.seconds), ("metres", table.metres)):
            if len(rows) != size or any(len(row) != size for row in rows):
                yield bad(
                    f"classes[*].{name}", f"must be {size} rows of {size}, one per location id"
                )
    yield from _matrix_coverage(snapshot, set(matrix.location_ids))


def _matrix_coverage(snapshot: Snapshot, known: set[str]) -> Iterator[Finding]:
    matrix = snapshot.travel_matrix
    kinds = {table.vehicle for table in matrix.classes} if matrix is not None else set()
    message = "is not in the travel-time matrix; give every place a location_id listed there"
    for row, order in enumerate(snapshot.orders):
        for name, place in (("pickup", order.pickup), ("dropoff", order.dropoff)):
            if not _listed(place.location, known):
                yield Finding("orders", row, f"orders[*].{name}.location.location_id", message)
    for row, courier in enumerate(snapshot.couriers):
        if not _listed(courier.position, known):
            yield Finding("couriers", row, "couriers[*].position.location_id", message)
        if not all(_listed(s.place.location, known) for s in courier.on_board):
            path = "couriers[*].on_board[*].place.location.location_id"
            yield Finding("couriers", row, path, message)
        if courier.vehicle.kind not in kinds:
            path = "couriers[*].vehicle.kind"
            yield Finding("couriers", row, path, "has no class in the travel-time matrix")


def _listed(location: Location, known: set[str]) -> bool:
    return location.location_id is not None and location.location_id in known
