"""Best stop sequences of trips with one to three new orders, by exact enumeration in arrays."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError

MAX_ORDERS = 3
CHUNK_LANES = 200_000
"""Trips times sequences evaluated at once: bounds memory to some tens of megabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """The best sequence of every trip, (b, 2q) stops each.

    Attributes
    ----------
    node
        Stop nodes in order: 1..q pickups, q+1..2q dropoffs.
    arrive_s, event_s, leave_s
        When the courier arrives, when the order is picked up or delivered, when the courier leaves.
    cost_s
        (b,) sum of door times plus sum of lateness.
    """

    node: NDArray[np.int64]
    arrive_s: NDArray[np.float64]
    event_s: NDArray[np.float64]
    leave_s: NDArray[np.float64]
    cost_s: NDArray[np.float64]


@functools.cache
def stop_sequences(q: int, opened: int = 0) -> NDArray[np.int64]:
    """List every order of q pickups and q dropoffs with each pickup first, (s, opened + 2q).

    There are 1, 6 or 90. Stops 1..opened, if any, are on board already and keep their sequence:
    each of the others is merged with them in every way there is, up to 18,900 for three orders and
    four open stops. Pickups and dropoffs are numbered from `opened` + 1 on. Rows are in
    lexicographic order.
    """
    nodes = range(1, 2 * q + 1)
    own = np.array(
        [s for s in permutations(nodes) if all(s.index(i) < s.index(i + q) for i in nodes[:q])],
        dtype=np.int64,
    )
    length = opened + 2 * q
    merged: list[NDArray[np.int64]] = []
    for place in combinations(range(length), opened):
        table = np.empty((len(own), length), dtype=np.int64)
        rest = np.delete(np.arange(length), place)
        table[:, list(place)] = np.arange(1, opened + 1)
        table[:, rest] = opened + own
        merged.append(table)
    every = np.concatenate(merged)
    out = every[np.lexsort(every.T[::-1])]
    out.setflags(write=False)
    return out


def best_sequences(
    start_s: ArrayLike,
    travel_s: ArrayLike,
    ready_s: ArrayLike,
    due_s: ArrayLike,
    pickup_before_s: ArrayLike,
    pickup_after_s: ArrayLike,
    dropoff_before_s: ArrayLike,
    dropoff_after_s: ArrayLike,
) -> Sequences:
    """Find the stop sequence with the least sum of door times and lateness for every trip.

    At each stop the courier arrives and spends the service time before; at a pickup the order is
    picked up no earlier than it is ready; then the service time after passes and the courier
    leaves. The door time is when the order is delivered. Ties go to the sequence that comes first
    in `stop_sequences`. (The rule of Reyes, Erera, Savelsbergh, Sahasrabudhe and O'Neil, The Meal
    Delivery Routing Problem, 2018, is before = after = half the service time at either stop.)

    Parameters
    ----------
    start_s
        (b,) when the courier is free at node 0.
    travel_s
        (b, 2q + 1, 2q + 1) seconds between nodes: 0 start, 1..q pickups, q+1..2q dropoffs.
    ready_s, due_s
        (b, q) when each order is ready and promised; inf where nothing is promised.
    pickup_before_s, pickup_after_s, dropoff_before_s, dropoff_after_s
        (b, q) service times.

    Raises
    ------
    ProblemError
        If shapes disagree, q is not 1 to 3, or a number is not finite (a promise may be inf).
    """
    start = np.asarray(start_s, dtype=np.float64)
    travel = np.asarray(travel_s, dtype=np.float64)
    ready, due = np.asarray(ready_s, dtype=np.float64), np.asarray(due_s, dtype=np.float64)
    pickup = np.stack([_floats(pickup_before_s), _floats(pickup_after_s)])
    dropoff = np.stack([_floats(dropoff_before_s), _floats(dropoff_after_s)])
    b, q = ready.shape if ready.ndim == 2 else (0, 0)
    expected = {
        "start_s": (start.shape, (b,)),
        "travel_s": (travel.shape, (b, 2 * q + 1, 2 * q + 1)),
        "due_s": (due.shape, (b, q)),
        "pickup service": (pickup.shape, (2, b, q)),
        "dropoff service": (dropoff.shape, (2, b, q)),
    }
    faults = [f"{n}: expected shape {w}, got {g}" for n, (g, w) in expected.items() if g != w]
    if not 1 <= q <= MAX_ORDERS:
        faults.append(f"ready_s: expected shape (b, 1..{MAX_ORDERS}), got {ready.shape}")
    finite = (start, travel, ready, pickup, dropoff)
    if not all(np.isfinite(a).all() for a in finite) or np.isnan(due).any():
        faults.append("times: expected finite numbers (a promise may be inf)")
    if faults:
        raise ProblemError(faults)
    # Per node 0..2q: earliest event, service before and after; node 0 is never a stop.
    service = np.concatenate([np.zeros((2, b, 1)), pickup, dropoff], axis=2)
    earliest = np.concatenate([np.full((b, 1), -np.inf), ready, np.full((b, q), -np.inf)], axis=1)
    promise = np.concatenate([np.full((b, q + 1), np.inf), due], axis=1)
    table = stop_sequences(q)
    step = max(1, CHUNK_LANES // len(table))
    best = np.zeros(b, np.int64)
    for low in range(0, b, step):
        part = slice(low, low + step)
        cost = _timed(
            table[None], service[:, part], earliest[part], promise[part], start[part], travel[part]
        )[3]
        best[part] = np.argmin(cost, axis=1)
    node = table[best]
    arrive, event, leave, cost = _timed(node[:, None], service, earliest, promise, start, travel)
    return Sequences(node, arrive[:, 0], event[:, 0], leave[:, 0], cost[:, 0])


def _timed(
    node: NDArray[np.int64],
    service: NDArray[np.float64],
    earliest: NDArray[np.float64],
    promise: NDArray[np.float64],
    start: NDArray[np.float64],
    travel: NDArray[np.float64],
) -> tuple[NDArray[np.float64], ...]:
    """Time p sequences (b or 1, p, 2q) per trip: arrive, event, leave (b, p, 2q), cost (b, p)."""
    b, stops = start.size, node.shape[2]
    q, trip = stops // 2, np.arange(b)[:, None]
    shape = (b, node.shape[1])
    at, now = np.zeros(shape, np.int64), np.broadcast_to(start[:, None], shape)
    timeline = np.empty((3, *shape, stops))
    cost = np.zeros(shape)
    for k in range(stops):
        to = np.broadcast_to(node[:, :, k], shape)
        arrive = now + travel[trip, at, to]
        event = np.maximum(arrive + service[0][trip, to], earliest[trip, to])
        now = event + service[1][trip, to]
        late = np.maximum(event - promise[trip, to], 0.0)
        cost += np.where(to > q, event + late, 0.0)
        timeline[:, :, :, k] = arrive, event, now
        at = to
    return timeline[0], timeline[1], timeline[2], cost


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
