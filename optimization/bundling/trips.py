"""What timing a trip needs: orders, couriers, the legs between them, and stops still open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.bundling.mates import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class OpenStops:
    """Stops couriers have accepted and not begun, which new ones may come before.

    A courier's open stops keep their sequence. Arrays are padded to the K open stops of the courier
    who has most; legs to and from open stops exist for the r candidate pairs of such couriers.

    Attributes
    ----------
    count
        (m,) open stops of each courier.
    is_door
        (m, K) whether an order is delivered there.
    earliest_s, latest_s
        (m, K) bounds of the handover: ready times, and what was promised; -inf or inf for none.
    due_s, planned_s
        (m, K) the order's promise (inf for none), and the handover if nothing new comes between.
    before_s, after_s
        (m, K) service times.
    chain_s, chain_m
        (m, K) from the stop before, or from where the courier starts.
    load, load_change, room
        (2, m), (2, m, K), (2, m) orders and size: on board at the start, what each stop adds, and
        the most on board after any stop.
    order_size
        (n,) size of the new orders.
    row
        (k,) each candidate pair's column of the legs below; -1 if its courier has no open stops.
    from_s, from_m, to_s, to_m
        (2, K, r) from each open stop to the pair's pickup (0) and dropoff (1), and back.
    """

    count: Ints
    is_door: NDArray[np.bool_]
    earliest_s: Floats
    latest_s: Floats
    due_s: Floats
    planned_s: Floats
    before_s: Floats
    after_s: Floats
    chain_s: Floats
    chain_m: Floats
    load: Ints
    load_change: Ints
    room: Ints
    order_size: Ints
    row: Ints
    from_s: Floats
    from_m: Floats
    to_s: Floats
    to_m: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TripData:
    """What timing a trip needs; seconds count from any one origin, metres matter to ranges only.

    Attributes
    ----------
    order, courier
        (k,) candidate pairs, sorted by order, then courier.
    to_pickup_s, own_s
        (k,) from where the courier starts to the pickup, and from there to the dropoff.
    ready_s, due_s, pickup_before_s, pickup_after_s, dropoff_before_s, dropoff_after_s
        (n,) per order, as in `best_sequences`.
    free_s
        (m,) when each courier can start.
    pickup_end_s, end_s
        (m,) when the last pickup must be made and when the last stop must be left; inf for never.
    range_m
        (m,) how far each courier can still ride; inf for any distance.
    to_pickup_m, own_m
        (k,) metres of the same legs.
    opened
        Stops that new ones may come before: couriers start before these. None: nobody has any.
    """

    order: Ints
    courier: Ints
    to_pickup_s: Floats
    own_s: Floats
    ready_s: Floats
    due_s: Floats
    pickup_before_s: Floats
    pickup_after_s: Floats
    dropoff_before_s: Floats
    dropoff_after_s: Floats
    free_s: Floats
    pickup_end_s: Floats
    end_s: Floats
    range_m: Floats
    to_pickup_m: Floats
    own_m: Floats
    opened: OpenStops | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EdgeLegs:
    """Travel between the stops of two orders a and b, per lane of two orders, (8, e).

    Rows: pa-pb, pa-db, da-pb, da-db, pb-pa, pb-da, db-pa, db-da, with p a pickup, d a dropoff.
    `one_visit` (e,) marks orders picked up in one visit where they follow each other: the service
    before the second pickup and after the first is not needed. None: no such orders.
    """

    seconds: Floats
    metres: Floats
    one_visit: NDArray[np.bool_] | None = None
