"""A plan on a map: where orders and couriers are, and who goes where."""

import math

from matplotlib.axes import Axes

from dispatch.domain import Snapshot
from dispatch.result import Plan

_PICKUP, _DROPOFF, _COURIER, _LEFT = "#1f5f99", "#6fae5f", "#444444", "#d95f02"


def plot_map(plan: Plan, snapshot: Snapshot, ax: Axes) -> Axes:
    """Draw couriers, pickups, dropoffs and every route; return the axis.

    Longitudes are squeezed by the cosine of the mean latitude, so distances look right.
    """
    drawn = plan.to_geojson(snapshot)["features"]
    for feature in drawn:
        if feature["geometry"]["type"] == "LineString":
            lon, lat = zip(*feature["geometry"]["coordinates"], strict=True)
            ax.plot(lon, lat, color="#9bb7d4", linewidth=0.9, zorder=1)
    for kind, colour, marker in (("pickup", _PICKUP, "^"), ("dropoff", _DROPOFF, "v")):
        places = [
            f["geometry"]["coordinates"] for f in drawn if f["properties"].get("kind") == kind
        ]
        if places:
            lon, lat = zip(*places, strict=True)
            ax.scatter(lon, lat, s=22, color=colour, marker=marker, label=kind, zorder=3)
    couriers = [c.position for c in snapshot.couriers]
    ax.scatter(
        [p.lon for p in couriers],
        [p.lat for p in couriers],
        s=10,
        color=_COURIER,
        label="courier",
        zorder=2,
    )
    left = {entry.order_id for entry in plan.unassigned}
    alone = [o.pickup.location for o in snapshot.orders if o.id in left]
    if alone:
        ax.scatter(
            [p.lon for p in alone],
            [p.lat for p in alone],
            s=60,
            facecolors="none",
            edgecolors=_LEFT,
            linewidths=1.6,
            label="unassigned",
            zorder=4,
        )
    if couriers:
        mean = sum(p.lat for p in couriers) / len(couriers)
        ax.set_aspect(1 / max(math.cos(math.radians(mean)), 0.01))
    ax.set_xlabel("longitude")
    ax.set_ylabel("latitude")
    ax.legend(frameon=False, fontsize=8)
    return ax
