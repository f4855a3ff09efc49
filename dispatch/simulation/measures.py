"""What became of a day: one row per order, one per courier, and the day in a few numbers.

Column names carry units. An order that was not delivered has NaN from where it got stuck.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from dispatch.domain import VehicleKind
from dispatch.fairness import evenness
from dispatch.simulation.day import Day
from dispatch.simulation.environment import DayLog
from dispatch.simulation.events import Kind
from dispatch.tables import KIND_CODE, Floats, Points

PENALTY_MIN = 90.0
"""What an undelivered order counts as click-to-door in the penalised excess, minutes."""

HEADLINES = (
    ("orders delivered", "orders.delivered", "{:,.0f}"),
    ("undelivered", "orders.undelivered_share", "{:.2%}"),
    ("click to door, mean min", "orders.click_to_door_min.mean", "{:.2f}"),
    ("click to door, 90th percentile min", "orders.click_to_door_min.p90", "{:.2f}"),
    ("excess over unavoidable, penalised, min", "orders.penalised_excess_min", "{:.2f}"),
    ("ready to pickup, mean min", "orders.ready_to_pickup_min.mean", "{:.2f}"),
    ("later than promised", "orders.late_share", "{:.2%}"),
    ("offers per order", "offers.per_order", "{:.2f}"),
    ("offers accepted", "offers.acceptance_rate", "{:.1%}"),
    ("couriers online", "couriers.online", "{:,.0f}"),
    ("time busy of time online", "couriers.busy_share", "{:.1%}"),
    ("ridden, km", "couriers.ridden_km", "{:,.0f}"),
    ("Gini of orders per hour online", "fairness.orders_per_online_h.gini", "{:.3f}"),
    ("Gini of earnings per hour online", "fairness.earnings_per_online_h.gini", "{:.3f}"),
    ("couriers with nothing", "fairness.orders_per_online_h.nothing", "{:,.0f}"),
    ("decisions", "decisions.made", "{:,.0f}"),
)
"""The metrics shown first: label, path in `summarise`, and how to write it."""

OFFER_ENDS = (Kind.ACCEPTED, Kind.REFUSED, Kind.IGNORED, Kind.VOID)


def events_frame(log: DayLog) -> pd.DataFrame:
    """Return the day's events, one per row."""
    return pd.DataFrame(
        [(e.at_s, e.kind.value, e.order_id, e.courier_id, e.value) for e in log.events],
        columns=["at_s", "kind", "order_id", "courier_id", "value"],
    )


def unavoidable_s(day: Day) -> Floats:
    """Seconds from placement to the door if a courier were waiting at every pickup, shape (n,).

    With the day's fastest vehicle: until ready, leaving, riding straight, handing over.
    """
    pickup = Points.of((o.pickup.location for o in day.orders), {})
    dropoff = Points.of((o.dropoff.location for o in day.orders), {})
    n = len(day.orders)
    vehicles = {(s.courier.vehicle.kind, s.courier.vehicle.speed_mps) for s in day.shifts} or {
        (VehicleKind.BICYCLE, None)
    }
    ride_s = np.min(
        [
            day.travel.legs(
                pickup,
                dropoff,
                np.full(n, KIND_CODE[kind], dtype=np.int64),
                np.full(n, np.nan if speed is None else speed),
            ).seconds
            for kind, speed in sorted(vehicles, key=repr)
        ],
        axis=0,
    )
    fixed = [
        (o.ready_at - o.placed_at).total_seconds()
        + o.pickup.service_after_s
        + o.dropoff.service_before_s
        for o in day.orders
    ]
    return np.asarray(np.array(fixed) + ride_s)


def orders_table(log: DayLog) -> pd.DataFrame:
    """Return one row per order of the day, in the sequence of the day."""
    day, events = log.day, events_frame(log)
    orders = day.orders
    table = pd.DataFrame(
        {
            "order_id": [o.id for o in orders],
            "placed_s": [o.placed_at.timestamp() for o in orders],
            "ready_s": [o.ready_at.timestamp() for o in orders],
            "due_s": [np.nan if o.due_at is None else o.due_at.timestamp() for o in orders],
        }
    ).set_index("order_id")
    of_orders = events[events["order_id"] != ""]
    for name, kind in (
        ("accepted_s", Kind.ACCEPTED),
        ("picked_up_s", Kind.PICKED_UP),
        ("delivered_s", Kind.DELIVERED),
    ):
        found = of_orders[of_orders["kind"] == kind.value].set_index("order_id")["at_s"]
        table[name] = found.reindex(table.index)
    offered = of_orders[of_orders["kind"] == Kind.OFFERED.value].groupby("order_id")["at_s"]
    table["first_offered_s"] = offered.min().reindex(table.index)
    table["offers"] = offered.size().reindex(table.index).fillna(0).astype(np.int64)
    delivered = of_orders[of_orders["kind"] == Kind.DELIVERED.value].set_index("order_id")
    table["courier_id"] = delivered["courier_id"].reindex(table.index).fillna("")
    door = table["delivered_s"]
    table["click_to_door_min"] = (door - table["placed_s"]) / 60
    table["unavoidable_min"] = unavoidable_s(day) / 60
    table["excess_min"] = table["click_to_door_min"] - table["unavoidable_min"]
    table["ready_to_pickup_min"] = (table["picked_up_s"] - table["ready_s"]) / 60
    table["ready_to_door_min"] = (door - table["ready_s"]) / 60
    late_min = ((door - table["due_s"]) / 60).clip(lower=0)
    table["late_min"] = late_min.where(table["due_s"].notna(), late_min.where(door.isna(), 0.0))
    return table.reset_index()


def couriers_table(log: DayLog) -> pd.DataFrame:
    """Return one row per courier of the day."""
    account = log.account
    events = events_frame(log)
    metres = events[events["kind"] == Kind.ARRIVED.value].groupby("courier_id")["value"].sum()
    online_h = account.online_s / 3600
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = {
            "orders_per_online_h": account.orders / online_h,
            "earnings_per_online_h": account.earnings / online_h,
            "earnings_per_busy_h": account.earnings / (account.busy_s / 3600),
            "busy_share": account.busy_s / account.online_s,
        }
    return pd.DataFrame(
        {
            "courier_id": account.courier_ids,
            "online_h": online_h,
            "busy_h": account.busy_s / 3600,
            "orders": account.orders,
            "earnings": account.earnings,
            "offers": account.offers,
            "acceptances": account.acceptances,
            "ridden_km": metres.reindex(account.courier_ids).fillna(0.0).to_numpy() / 1000,
            **rates,
        }
    )


def summarise(log: DayLog, penalty_min: float = PENALTY_MIN) -> dict[str, Any]:
    """Return the day in numbers; nothing here depends on the machine or the clock."""
    orders, couriers, account = orders_table(log), couriers_table(log), log.account
    n = max(len(orders), 1)
    ctd, excess = orders["click_to_door_min"], orders["excess_min"]
    undelivered = int(ctd.isna().sum())
    penalised = (ctd.sum() + penalty_min * undelivered) / n - orders["unavoidable_min"].mean()
    ends = dict.fromkeys(OFFER_ENDS, 0)
    for event in {e.offer_id: e for e in log.events if e.kind in ends}.values():
        ends[event.kind] += 1
    answered = sum(ends.values()) - ends[Kind.VOID]
    trips = sum(e.kind is Kind.FREED for e in log.events)
    paid = couriers["earnings_per_busy_h"].to_numpy(np.float64)  # of those who had work at all
    found_min = (orders["accepted_s"] - orders["first_offered_s"]) / 60
    return {
        "orders": {
            "placed": len(orders),
            "delivered": len(orders) - undelivered,
            "undelivered_share": undelivered / n,
            "click_to_door_min": _spread(ctd),
            "unavoidable_min": _number(orders["unavoidable_min"].mean()),
            "excess_min": _spread(excess),
            "penalised_excess_min": _number(penalised),
            "ready_to_pickup_min": _spread(orders["ready_to_pickup_min"]),
            "ready_to_door_min": _spread(orders["ready_to_door_min"]),
            "late_min": _spread(orders["late_min"]),
            "late_share": _number((orders["late_min"].fillna(np.inf) > 0).mean()),
        },
        "offers": {
            "made": answered + ends[Kind.VOID],
            **{kind.value: count for kind, count in ends.items()},
            "acceptance_rate": ends[Kind.ACCEPTED] / max(answered, 1),
            "per_order": float(orders["offers"].mean()) if len(orders) else 0.0,
            "first_offer_to_acceptance_min": _spread(found_min),
        },
        "couriers": {
            "online": int((account.online_s > 0).sum()),
            "online_h": float(account.online_s.sum() / 3600),
            "busy_share": float(account.busy_s.sum() / max(account.online_s.sum(), 1.0)),
            "ridden_km": float(couriers["ridden_km"].sum()),
            "busy_spells": trips,
            "dropped_out": sum(e.kind is Kind.DROPPED_OUT for e in log.events),
        },
        "fairness": {
            "orders_per_online_h": asdict(evenness(account.per_online_hour(account.orders))),
            "earnings_per_online_h": asdict(evenness(account.per_online_hour(account.earnings))),
            "earnings_per_busy_h": asdict(evenness(paid[np.isfinite(paid)])),
        },
        "decisions": {
            "made": sum(e.kind is Kind.DECIDED for e in log.events),
            "held": sum(e.kind is Kind.HELD for e in log.events),
        },
    }


def _spread(values: "pd.Series[float]") -> dict[str, float | None]:
    known = values.dropna()
    if known.empty:
        return {"mean": None, "p50": None, "p90": None}
    return {
        "mean": float(known.mean()),
        "p50": float(known.quantile(0.5)),
        "p90": float(known.quantile(0.9)),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
