"""A day that was lived through, in pictures: times to the door, the clock, the ledger, a moment."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dispatch.domain import Location
from dispatch.fairness import evenness
from dispatch.simulation.environment import DayLog
from dispatch.simulation.events import Event, Kind
from dispatch.tables import Floats

BLUE, ORANGE, GREEN, GREY = "#1f5f99", "#d95f02", "#3f8f5f", "#888888"
_PALE = "#c9d8e8"


def plot_click_to_door(orders: pd.DataFrame, ax: Axes) -> Axes:
    """Draw how long deliveries took from placement, and how much of that was unavoidable."""
    taken = orders["click_to_door_min"].dropna()
    top = float(np.ceil(max(taken.max() if len(taken) else 0, 10) / 5) * 5)
    bins = np.linspace(0, top, 41).tolist()
    ax.hist(orders["unavoidable_min"], bins=bins, color=_PALE, label="unavoidable")
    ax.hist(taken, bins=bins, histtype="step", color=BLUE, linewidth=1.6, label="click to door")
    if len(taken):
        ax.axvline(float(taken.mean()), color=ORANGE, linewidth=1.2)
        mean, p90 = taken.mean(), taken.quantile(0.9)
        ax.set_title(f"Click to door: mean {mean:.1f}, 90th percentile {p90:.1f} min", fontsize=10)
    ax.set_xlim(0, top)
    ax.set_xlabel("minutes since placement")
    ax.set_ylabel("orders")
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_timeline(log: DayLog, ax: Axes) -> Axes:
    """Draw orders not yet accepted and on their way, couriers online and busy, by local time."""
    at_s = np.array([e.at_s for e in log.events])
    lines = (
        ("couriers online", GREY, "-", _steps(log, (Kind.LOGGED_ON,), _OFF)),
        ("couriers busy", BLUE, "-", _busy(log)),
        ("orders on their way", GREEN, "-", _steps(log, (Kind.ACCEPTED,), (Kind.DELIVERED,))),
        ("orders waiting", ORANGE, "-", _steps(log, (Kind.PLACED,), _CLOSED)),
    )
    start = log.day.start_at.astimezone(ZoneInfo(log.day.timezone))
    clock_h = start.hour + start.minute / 60 + (at_s - start.timestamp()) / 3600
    for label, colour, style, count in lines:
        ax.step(
            clock_h, count, where="post", color=colour, linestyle=style, label=label, linewidth=1.1
        )
    ax.set_xlabel(f"hour of the day ({log.day.timezone})")
    ax.set_title("The day by the clock", fontsize=10)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=8)
    return ax


_OFF = (Kind.LOGGED_OFF, Kind.DROPPED_OUT)
_CLOSED = (Kind.ACCEPTED, Kind.CANCELLED)


def _steps(log: DayLog, up: tuple[Kind, ...], down: tuple[Kind, ...]) -> Floats:
    change = [(e.kind in up) - float(e.kind in down) for e in log.events]
    return np.cumsum(change)


def _busy(log: DayLog) -> Floats:
    busy: set[str] = set()
    count = []
    for event in log.events:
        if event.kind is Kind.ACCEPTED:
            busy.add(event.courier_id)
        elif event.kind is Kind.FREED:
            busy.discard(event.courier_id)
        count.append(len(busy))
    return np.array(count, dtype=np.float64)


def plot_ledger(couriers: pd.DataFrame, ax: Axes) -> Axes:
    """Draw what every courier earned per hour online, from the least to the most."""
    online = couriers[couriers["online_h"] > 0]
    rate = np.sort(online["earnings_per_online_h"].to_numpy(np.float64))
    even = evenness(rate)
    ax.bar(np.arange(len(rate)), rate, width=1.0, color=BLUE, edgecolor="white", linewidth=0.3)
    ax.axhline(even.mean, color=ORANGE, linewidth=1.2)
    ax.set_xlim(-0.5, max(len(rate) - 0.5, 0.5))
    ax.set_xticks([])
    ax.set_xlabel("couriers, from the least to the most")
    ax.set_ylabel("earnings per hour online")
    ax.set_title(
        f"Ledger: Gini {even.gini:.2f}, Jain {even.jain:.2f}, worst decile at "
        f"{even.worst_decile:.0%} of the mean, {even.nothing} with nothing",
        fontsize=10,
    )
    return ax


def busiest_s(log: DayLog) -> float:
    """Return when most orders were placed and not yet at the door, epoch seconds (the first)."""
    if not log.events:
        return log.day.start_at.timestamp()
    open_orders = _steps(log, (Kind.PLACED,), (Kind.DELIVERED, Kind.CANCELLED))
    return log.events[int(np.argmax(open_orders))].at_s


def plot_moment(log: DayLog, at_s: float, ax: Axes) -> Axes:
    """Draw the map of a moment: waiting orders, couriers, and the stops they are riding to."""
    orders = {o.id: o for o in log.day.orders}
    past = [e for e in log.events if e.at_s <= at_s]
    online, place, waiting, theirs = _state(log, past)
    routes: dict[str, list[Location]] = {name: [place[name]] for name in online}
    for event in log.events[len(past) :]:
        if event.kind in (Kind.PICKED_UP, Kind.DELIVERED) and event.order_id in theirs:
            order = orders[event.order_id]
            stop = order.pickup if event.kind is Kind.PICKED_UP else order.dropoff
            routes.setdefault(event.courier_id, []).append(stop.location)
    every = [o.pickup.location for o in log.day.orders]
    ax.scatter([p.lon for p in every], [p.lat for p in every], s=6, color="#dddddd", zorder=0)
    for route in routes.values():
        ax.plot([p.lon for p in route], [p.lat for p in route], color="#9bb7d4", linewidth=0.8)
        ax.scatter([p.lon for p in route[1:]], [p.lat for p in route[1:]], s=7, color="#9bb7d4")
    for label, marker, colour, places in (
        ("courier at the last stop", "o", "#444444", [place[name] for name in online]),
        ("waiting: pickup", "^", ORANGE, [orders[n].pickup.location for n in waiting]),
        ("waiting: door", "v", GREEN, [orders[n].dropoff.location for n in waiting]),
    ):
        lon, lat = [p.lon for p in places], [p.lat for p in places]
        ax.scatter(lon, lat, s=16, marker=marker, color=colour, label=label, zorder=3)
    if every:
        mean = sum(p.lat for p in every) / len(every)
        ax.set_aspect(1 / max(math.cos(math.radians(mean)), 0.01))
    clock = datetime.fromtimestamp(at_s, ZoneInfo(log.day.timezone))
    ax.set_title(
        f"{clock:%H:%M}: {len(waiting)} orders waiting, {len(theirs)} on their way, "
        f"{len(online)} couriers",
        fontsize=10,
    )
    ax.set_xlabel("longitude")
    ax.set_ylabel("latitude")
    ax.ticklabel_format(useOffset=False)
    ax.tick_params(axis="x", rotation=30)
    ax.legend(frameon=False, fontsize=8)
    return ax


def _state(
    log: DayLog, past: list[Event]
) -> tuple[dict[str, None], dict[str, Location], dict[str, None], set[str]]:
    """Couriers online, everybody's last place, waiting orders, and orders on their way."""
    orders = {o.id: o for o in log.day.orders}
    place = {s.courier.id: s.courier.position for s in log.day.shifts}
    online: dict[str, None] = {}
    waiting: dict[str, None] = {}
    theirs: set[str] = set()
    for event in past:
        if event.kind is Kind.LOGGED_ON:
            online[event.courier_id] = None
        elif event.kind in _OFF:
            online.pop(event.courier_id)
        elif event.kind is Kind.PLACED:
            waiting[event.order_id] = None
        elif event.kind in _CLOSED:
            waiting.pop(event.order_id)
            if event.kind is Kind.ACCEPTED:
                theirs.add(event.order_id)
        elif event.kind is Kind.PICKED_UP:
            place[event.courier_id] = orders[event.order_id].pickup.location
        elif event.kind is Kind.DELIVERED:
            place[event.courier_id] = orders[event.order_id].dropoff.location
            theirs.discard(event.order_id)
    return online, place, waiting, theirs
