"""A plan as GeoJSON (RFC 7946): the one place where coordinates are [lon, lat]."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dispatch.domain import Location, Snapshot, StopKind

if TYPE_CHECKING:
    from dispatch.result import Route


def routes_to_geojson(routes: "Iterable[Route]", snapshot: Snapshot) -> dict[str, Any]:
    """Draw a line per courier's route and a point per new stop."""
    places: dict[tuple[StopKind, str], Location] = {}
    start: dict[str, Location] = {}
    for order in snapshot.orders:
        places[StopKind.PICKUP, order.id] = order.pickup.location
        places[StopKind.DROPOFF, order.id] = order.dropoff.location
    for courier in snapshot.couriers:
        start[courier.id] = courier.position
        for board in courier.on_board:
            places[board.kind, board.order_id] = board.place.location
    features = []
    for route in routes:
        line = [start[route.courier_id], *(places[s.kind, s.order_id] for s in route.stops)]
        features.append(
            _feature(
                "LineString",
                [[p.lon, p.lat] for p in line],
                {"courier_id": route.courier_id, "metres": round(route.metres, 1)},
            )
        )
        for number, stop in enumerate(route.stops, start=1):
            place = places[stop.kind, stop.order_id]
            features.append(
                _feature(
                    "Point",
                    [place.lon, place.lat],
                    {
                        "courier_id": route.courier_id,
                        "order_id": stop.order_id,
                        "kind": stop.kind.value,
                        "sequence": number,
                        "at": stop.at.isoformat(),
                    },
                )
            )
    return {"type": "FeatureCollection", "features": features}


def _feature(kind: str, coordinates: list[Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }
