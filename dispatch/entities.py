"""The raw columns of candidate pairs as tables of couriers, orders and the moment.

The arithmetic is that of `dispatch.columns`, done once a courier or order instead of once a pair.
"""

import numpy as np

from dispatch.availability import Availability
from dispatch.columns import (
    as_floats,
    courier_clock,
    heading_off_deg,
    local_clock,
    trip_columns,
)
from dispatch.demand import local_demand
from dispatch.domain import Snapshot
from dispatch.pairs import CandidatePairs
from dispatch.tables import Floats, Tables
from models import PairColumns


def pair_columns(
    snapshot: Snapshot, tables: Tables, free: Availability, pairs: CandidatePairs
) -> PairColumns:
    """State what the acceptance model is told of every candidate pair."""
    orders, couriers = tables.orders, tables.couriers
    hour, weekday = local_clock(np.array([tables.now_s]), snapshot.timezone)

    def moment(value: float | None) -> Floats:
        return np.array([np.nan if value is None else value], dtype=np.float64)

    return PairColumns(
        courier={
            **courier_clock(free.free_s, couriers.shift_end_s, couriers.last_offer_s, tables.now_s),
            "load_orders": as_floats(couriers.load_orders),
            "load_size": as_floats(couriers.load_size),
            "vehicle": as_floats(couriers.kind),
            "courier_offers": couriers.past_offers,
            "courier_accepted": couriers.past_acceptances,
        },
        order={
            "pay": orders.pay,
            "value": orders.value,
            "order_size": as_floats(orders.size),
            "attempt": as_floats(orders.attempt),
            "merchant_offers": orders.merchant_offers,
            "merchant_accepted": orders.merchant_accepted,
            "local_demand": local_demand(orders.pickup, free.place),
        },
        context={
            "hour": hour,
            "weekday": weekday,
            "precipitation_mm_h": moment(snapshot.weather.precipitation_mm_h),
            "temperature_c": moment(snapshot.weather.temperature_c),
        },
        pair={
            **trip_columns(pairs.trip, pairs.timing, orders.due_s[pairs.order]),
            "heading_off_deg": heading_off_deg(
                couriers.position[pairs.courier],
                orders.pickup[pairs.order],
                couriers.heading_deg[pairs.courier],
            ),
        },
        courier_row=pairs.courier,
        order_row=pairs.order,
    )
