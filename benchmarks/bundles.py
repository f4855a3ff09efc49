"""Bundle columns a second, and how close and how fast the packing gets, beside CBC and HiGHS.

    python benchmarks/bundles.py --sizes M L --seeds 2 --direct 10

Gaps are against the bound over the full column set. `--direct S` also gives CBC and HiGHS the whole
set packing for S seconds each.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from optimization import (
    AssignmentProblem,
    Deadline,
    Weights,
    acceptance_term,
    linear_term,
    scalarize,
    stop_sequences,
)
from optimization.bundling import (
    BundleCaps,
    Bundles,
    EdgeLegs,
    Lanes,
    OpenStops,
    TripData,
    bundle_columns,
    sequence_trips,
)
from optimization.errors import SolverError
from optimization.packing.columns import PackingColumns
from optimization.scalar import ScalarProblem
from optimization.solvers.milp import MilpSolver
from optimization.solvers.packing import PackingSolver

SIZES = {
    "S": (60, 100, 40, 4_000),
    "M": (500, 600, 40, 8_000),
    "L": (2_000, 3_000, 40, 16_000),
    "XL": (10_000, 12_000, 30, 30_000),
    "crowded": (900, 300, 40, 8_000),
}
WEIGHTS = Weights({"acceptance": 1.0, "service": 1.0, "time": 1 / 7200})
"""An order served and one accepted count alike, an hour to the door or late half as much."""
CLOSE = {"M": 5e-4, "XL": 1.5e-3}
"""Gap to stop at; elsewhere 1e-3."""


class City:
    """Hot spots in a square: orders cluster more than couriers, whose speeds and shifts differ."""

    def __init__(self, rng: np.random.Generator, n: int, m: int, d: int, side_m: float) -> None:
        hubs = rng.uniform(0, side_m, (max(4, int(side_m / 1000) ** 2 // 6), 2))
        share = rng.dirichlet(np.full(len(hubs), 0.7))

        def places(count: int, clustered: float, spread_m: float) -> np.ndarray:
            near = hubs[rng.choice(len(hubs), count, p=share)] + rng.normal(0, spread_m, (count, 2))
            anywhere = rng.uniform(0, side_m, (count, 2))
            chosen = rng.random((count, 1)) < clustered
            return np.clip(np.where(chosen, near, anywhere), 0, side_m)

        start, self.pickup = places(m, 0.45, 900), places(n, 0.7, 500)
        away = rng.normal(0, 1, (n, 2)) * np.minimum(rng.gamma(3, 750, n), 6000)[:, None] / 1.4
        self.dropoff = np.clip(self.pickup + away, 0, side_m)
        self.start = start
        self.speed = rng.choice([14, 22, 18], m, p=[0.35, 0.5, 0.15]) / 3.6
        self.most = rng.choice([1, 2, 3, 4], m, p=[0.35, 0.35, 0.2, 0.1])
        _, near = cKDTree(start).query(self.pickup, k=d)
        order, courier = np.repeat(np.arange(n), d), np.sort(near, axis=1).ravel()
        ready, service = rng.uniform(0, 900, n), np.full(n, 60.0)
        to_pickup = _street(start[courier], self.pickup[order])
        own = _street(self.pickup, self.dropoff)[order]
        self.data = TripData(
            order=order,
            courier=courier,
            to_pickup_s=to_pickup / self.speed[courier],
            own_s=own / self.speed[courier],
            ready_s=ready,
            due_s=ready + rng.uniform(1500, 3000, n),
            pickup_before_s=service,
            pickup_after_s=service / 2,
            dropoff_before_s=service,
            dropoff_after_s=service,
            free_s=rng.uniform(0, 300, m),
            pickup_end_s=np.full(m, np.inf),
            end_s=rng.uniform(1500, 18_000, m),
            range_m=np.full(m, np.inf),
            to_pickup_m=to_pickup,
            own_m=own,
        )
        self.pay = 2 + own[np.searchsorted(order, np.arange(n))] / 1500
        self.mood = rng.normal(0, 0.7, m)
        self.size = np.ones(n, np.int64)

    def legs(self, a: np.ndarray, b: np.ndarray) -> EdgeLegs:
        """Travel between the stops of two orders, by the courier of both pairs."""
        order, p, d = self.data.order, self.pickup, self.dropoff
        i, j, speed = order[a], order[b], self.speed[self.data.courier[a]]
        couples = ((p, i, p, j), (p, i, d, j), (d, i, p, j), (d, i, d, j))
        couples += ((p, j, p, i), (p, j, d, i), (d, j, p, i), (d, j, d, i))
        metres = np.stack([_street(x[u], y[v]) for x, u, y, v in couples])
        return EdgeLegs(metres / speed, metres)

    def bundles(self, caps: BundleCaps) -> Bundles:
        """Generate the columns of several orders."""
        return bundle_columns(
            self.data,
            self.data.free_s[self.data.courier] + self.data.to_pickup_s,
            self.pickup,
            self.dropoff,
            self.size,
            self.most,
            self.most,
            self.legs,
            caps,
        )

    def problem(self, bundles: Bundles) -> AssignmentProblem:
        """Single pairs and bundles as one packing."""
        data, n = self.data, len(self.size)
        alone = np.maximum(
            data.free_s[data.courier] + data.to_pickup_s + 60, data.ready_s[data.order]
        )
        door = alone + 30 + data.own_s + 60
        fits = door + 60 <= data.end_s[data.courier]
        single = np.flatnonzero(fits)
        many = bundles.pair
        count = np.concatenate([np.ones(single.size, np.int64), bundles.orders])
        pairs = np.concatenate([single, many[many >= 0]])
        cost_s = np.concatenate([door[single], bundles.cost_s])
        courier = np.concatenate([data.courier[single], data.courier[many[:, 0]]])
        reach = np.concatenate([data.to_pickup_s[single], data.to_pickup_s[many[:, 0]]])
        ptr = np.concatenate([[0], np.cumsum(count)])
        pay = np.add.reduceat(self.pay[data.order[pairs]], ptr[:-1])
        chance = 1 / (1 + np.exp(-(1.3 - reach / 400 + 0.1 * pay / count + self.mood[courier])))
        most = self.most
        return AssignmentProblem(
            n_orders=n,
            n_couriers=len(most),
            column_courier=courier,
            column_ptr=ptr,
            column_order=data.order[pairs],
            order_size=self.size,
            max_orders=most,
            max_size=most,
            leave=np.full(n, 1000),
            terms=(
                acceptance_term(chance, count, most),
                linear_term("time", "s", 1000, cost_s, most),
                linear_term("service", "orders", 1, -count, most),
            ),
            one_column_per_courier=True,
        )


def _street(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 1.3 * np.hypot(*(a - b).T)


def highs(scalar: ScalarProblem, limit_s: float) -> tuple[np.ndarray, float]:
    """Give HiGHS the whole set packing through scipy; chosen columns and seconds.

    Leaving an order costs three times the distance between the dearest and the cheapest column, as
    for our own prices: kinder to floating point than lexicographic coverage.
    """
    c = PackingColumns.of(scalar)
    began, k, n = time.perf_counter(), len(c), len(c.leave)
    real = c.orders < n
    row = np.concatenate([c.orders[real], n + c.courier])
    col = np.concatenate([np.nonzero(real)[0], np.arange(k)])
    matrix = csr_array((np.ones(row.size), (row, col)), shape=(n + c.n_couriers, k))
    leave = 3 * int(c.cost.max() - c.cost.min()) * (np.append(c.leave, 0) > 0)
    answer = milp(
        (c.cost - leave[c.orders].sum(axis=1)) / 1e6,
        constraints=LinearConstraint(matrix, -np.inf, 1.0),
        integrality=np.ones(k),
        bounds=Bounds(0, 1),
        options={"time_limit": limit_s, "mip_rel_gap": 0.0},
    )
    took = time.perf_counter() - began
    chosen = np.zeros(0, np.int64) if answer.x is None else np.flatnonzero(answer.x > 0.5)
    return c.column[chosen], took


def cbc(scalar: ScalarProblem, limit_s: float) -> tuple[np.ndarray, float]:
    """Give CBC the whole problem through the room's general engine."""
    began, solver = time.perf_counter(), MilpSolver()
    try:
        solver.pool.warm().join()
        columns = solver.solve(scalar, Deadline.after(limit_s)).columns
    except SolverError:
        columns = np.zeros(0, np.int64)
    finally:
        solver.pool.close()
    return columns, time.perf_counter() - began


def measure(size: str, seed: int, direct_s: float, exact_s: float) -> None:
    n, m, d, side = SIZES[size]
    city = City(np.random.default_rng(seed), n, m, d, side)
    caps = BundleCaps()
    city.bundles(caps)  # compiles
    began = time.thread_time()
    bundles = city.bundles(caps)
    columns_s = time.thread_time() - began
    began = time.thread_time()
    problem = city.problem(bundles)
    scalar = scalarize(problem, WEIGHTS)
    build_s = time.thread_time() - began
    print(
        f"\n{size} seed {seed}: {n} x {m}, {problem.n_columns} columns in {columns_s:.3f} s "
        f"(problem {build_s:.3f} s); {dict(bundles.counts)}"
    )
    close = CLOSE.get(size, 1e-3)
    for label, solver in (
        (f"close to {close:g}", PackingSolver(close=close, core_s=0.0)),
        ("prices", PackingSolver(close=0.0, core_s=0.0)),
        ("and core", PackingSolver(close=0.0, core_s=2.0)),
    ):
        solver.solve(scalar, Deadline.after(0.2))
        cpu, wall = time.thread_time(), time.perf_counter()
        found = solver.solve(scalar, Deadline.after(exact_s))
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        print(
            f"  {label}: cpu {cpu:.3f} wall {wall:.3f} s, gap {found.gap:.2e}, left "
            f"{found.coverage / 1000:g}, {found.status.value} {found.stop_reason.value}: "
            f"{found.message}"
        )
    if direct_s:
        for name, engine in (("HiGHS", highs), ("CBC", cbc)):
            columns, took = engine(scalar, direct_s)
            objective, left = scalar.objective(columns), problem.coverage(columns) / 1000
            off = (objective - found.bound) / max(1, abs(found.objective))
            print(f"  {name} directly: {took:.2f} s, left {left:g}, off the bound by {off:.2e}")


def rate(size: str, seed: int) -> None:
    """Columns a second of the enumeration alone, triples apart."""
    from optimization.bundling import mates, pair_lanes, triangles, triple_lanes

    n, m, d, side = SIZES[size]
    city = City(np.random.default_rng(seed), n, m, d, side)
    data, reach = city.data, city.data.free_s[city.data.courier] + city.data.to_pickup_s
    edges, _ = mates(city.pickup, city.dropoff, data.ready_s, 6, 900)
    common = (data.order, data.courier, reach, city.size)
    every, room = np.ones(len(edges), np.bool_), np.where(city.most >= 2, city.most, -1)
    pairs = pair_lanes(edges, every, *common, room, 12, 1)
    legs = city.legs(pairs.pair[:, 0], pairs.pair[:, 1])
    feasible = sequence_trips(data, pairs, legs)[0] >= 0
    room = np.where(city.most >= 3, city.most, -1)
    triples = triple_lanes(triangles(edges, n), pairs, feasible, *common, room, 8)
    for name, lanes in (("pairs", pairs), ("triples", triples)):
        sequence_trips(data, lanes, legs)
        took = min(_timed(lambda lanes=lanes: sequence_trips(data, lanes, legs)) for _ in range(5))
        per = len(stop_sequences(lanes.pair.shape[1]))
        print(
            f"{size}: {len(lanes)} (courier, {name}) lanes, {len(lanes) / took / 1e6:.2f} million "
            f"a CPU-second, {len(lanes) * per / took / 1e6:.0f} million sequences"
        )
        some = Lanes(lanes.bundle[:8192], lanes.pair[:8192], lanes.edge_lane[:8192], 0)
        open_rate(city, some, legs, name)


def open_rate(city: City, lanes: Lanes, legs: EdgeLegs, name: str) -> None:
    """Time the same lanes where every courier has one to four doors on board, all open."""
    data, m = city.data, len(city.most)
    pairs, zero = len(data.order), np.zeros
    rng = np.random.default_rng(0)
    place = np.cumsum(rng.normal(0, 700, (m, 4, 2)), axis=1) + city.start[:, None]
    before = np.concatenate((city.start[:, None], place[:, :-1]), axis=1)
    chain = _street(before.reshape(-1, 2), place.reshape(-1, 2)).reshape(m, 4)
    ends = (city.pickup[data.order], city.dropoff[data.order])
    away = np.stack([[_street(place[data.courier, s], e) for s in range(4)] for e in ends])
    chain_s, away_s = chain / city.speed[:, None], away / city.speed[data.courier]
    planned = data.free_s[:, None] + np.cumsum(chain_s + 60.0, axis=1)
    for count in (1, 2, 3, 4):
        opened = OpenStops(
            count=np.full(m, count),
            is_door=np.ones((m, 4), np.bool_),
            earliest_s=np.full((m, 4), -np.inf),
            latest_s=planned + 600.0,
            due_s=planned + 900.0,
            planned_s=planned,
            before_s=np.full((m, 4), 60.0),
            after_s=zero((m, 4)),
            chain_s=chain_s,
            chain_m=chain,
            load=np.full((2, m), count),
            load_change=np.full((2, m, 4), -1),
            room=np.full((2, m), 4),
            order_size=city.size,
            row=np.arange(pairs),
            from_s=away_s,
            from_m=away,
            to_s=away_s,
            to_m=away,
        )
        here = replace(data, end_s=data.end_s + 3600, opened=opened)
        sequence_trips(here, lanes, legs)
        took = min(_timed(lambda here=here: sequence_trips(here, lanes, legs)) for _ in range(3))
        per = len(stop_sequences(lanes.pair.shape[1], count))
        print(
            f"  {count} open stops: {len(lanes)} (courier, {name}) lanes, {len(lanes) / took:,.0f} "
            f"a CPU-second, {len(lanes) * per / took / 1e6:.0f} million sequences"
        )


def _timed(call: object) -> float:
    began = time.thread_time()
    call()  # type: ignore[operator]
    return time.thread_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["M"], choices=SIZES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--direct", type=float, default=0.0)
    parser.add_argument("--limit", type=float, default=2.0)
    args = parser.parse_args()
    for size in args.sizes:
        rate(size, 0)
        for seed in range(args.seeds):
            measure(size, seed, args.direct, args.limit)


if __name__ == "__main__":
    main()
