"""Random plans through `verify`: sound ones must pass, and every planted fault must be told.

    python benchmarks/verification.py --plans 1000000

Problems are small and of every kind: single pairs and bundles, sizes, work with limits, convex
costs. Whether a plan has the fault is known from how it was made, never from the verifier.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimization import AssignmentProblem, Term, Weights, scalarize, verify
from optimization.work import NO_LIMIT, Work, WorkPrice

Ids = NDArray[np.int64]
Check = tuple[str, Any, dict[str, Any], int | None]
"""Kind planted ("" for none), columns, claims, and one id that must be named."""
WEIGHTS = Weights({"a": 0.3, "b": 1.7, "c": 2.1})
PLANS_PER_PROBLEM = 40


def random_problem(rng: np.random.Generator) -> AssignmentProblem:
    """Up to 9 orders, 6 couriers and 60 columns; a third of them bundles."""
    n, m, bundles = int(rng.integers(2, 10)), int(rng.integers(1, 7)), bool(rng.random() < 0.33)
    sets = [[i] for i in range(n)]
    if bundles:
        sets += [sorted(rng.choice(n, 2, replace=False).tolist()) for _ in range(n)]
        sets = [list(s) for s in sorted({tuple(s) for s in sets})]
    columns = [(s, j) for s in sets for j in range(m) if rng.random() < 0.6] or [([0], 0)]
    k = len(columns)
    most = rng.integers(0, 4, m)
    convex = [np.sort(rng.integers(-50, 200, q)) for q in most]
    minutes = Work("minutes", "s", rng.integers(0, 60, k), rng.choice([40, 90, NO_LIMIT], m))
    price = WorkPrice(
        "minutes", np.arange(0, 2 * m + 1, 2), np.tile([0, 30], m), np.tile([1, 4], m)
    )
    slots = np.zeros(int(most.sum()), np.int64)
    return AssignmentProblem(
        n_orders=n,
        n_couriers=m,
        column_courier=np.array([j for _, j in columns]),
        column_ptr=np.cumsum([0, *(len(s) for s, _ in columns)]),
        column_order=np.array([i for s, _ in columns for i in s]),
        order_size=rng.integers(1, 4, n),
        max_orders=most,
        max_size=rng.integers(1, 8, m),
        leave=rng.choice([0, 700, 1000, 1500], n),
        terms=(
            Term.linear("a", "x", 7, rng.integers(-100, 100, k), most, constant=3),
            Term("b", "y", 10, 0, rng.integers(0, 50, k), slots, price),
            Term("c", "z", 4, -5, rng.integers(0, 9, k), np.concatenate([slots[:0], *convex])),
        ),
        one_column_per_courier=bundles,
        works=(minutes,),
    )


class World:
    """One problem and what the checks need to know of it, in plain lists."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.problem = rng, random_problem(rng)
        p = self.problem
        ptr = p.column_ptr.tolist()
        self.orders = [p.column_order[a:b].tolist() for a, b in itertools.pairwise(ptr)]
        self.courier = p.column_courier.tolist()
        self.work = p.works[0].column.tolist()
        self.of: list[list[int]] = [[] for _ in range(p.n_couriers)]
        for c, j in enumerate(self.courier):
            self.of[j].append(c)
        self.scalar = scalarize(p, WEIGHTS)

    def load(self, j: int, plan: list[int]) -> tuple[int, int, int, int]:
        """Columns, orders, size and work of a courier under a plan."""
        size = self.problem.order_size.tolist()
        mine = [c for c in plan if self.courier[c] == j]
        orders = [i for c in mine for i in self.orders[c]]
        return len(mine), len(orders), sum(size[i] for i in orders), sum(self.work[c] for c in mine)

    def over(self, j: int, plan: list[int]) -> dict[str, bool]:
        """Which limits of a courier a plan exceeds."""
        p, (columns, orders, size, work) = self.problem, self.load(j, plan)
        return {
            "several-columns": p.one_column_per_courier and columns > 1,
            "too-many-orders": orders > p.max_orders[j],
            "too-large": size > p.max_size[j],
            "too-much-work": work > p.works[0].limit[j],
        }

    def plan(self) -> list[int]:
        """Draw a sound plan: columns in random order, each kept if it fits."""
        chosen: list[int] = []
        served: set[int] = set()
        for c in self.rng.permutation(len(self.courier)).tolist():
            if served.isdisjoint(self.orders[c]) and not any(
                self.over(self.courier[c], [*chosen, c]).values()
            ):
                chosen.append(c)
                served.update(self.orders[c])
        keep = self.rng.random(len(chosen)) < self.rng.choice([0.5, 1.0])
        return [c for c, kept in zip(chosen, keep.tolist(), strict=True) if kept]

    def checks(self) -> Iterator[Check]:
        """One sound plan, checked with true claims and with every fault that can be planted."""
        p, rng, plan = self.problem, self.rng, self.plan()
        ids = np.array(plan, np.int64)
        values = {**p.term_values(ids), "coverage": p.coverage(ids)}
        objective = self.scalar.objective(ids)
        composed = {"weights": WEIGHTS, "scale": self.scalar.scale}
        exactly = {t.name: values[t.name] / t.scale for t in p.terms}
        yield (
            "",
            ids,
            {"claimed": values, "objective": objective, "bounds": exactly, **composed},
            None,
        )
        wrong = int(rng.choice([-2, -1, 1, 2]))
        name = str(rng.choice(list(values)))
        yield "false-value", ids, {"claimed": {**values, name: values[name] + wrong}}, None
        yield "false-objective", ids, {"objective": objective + wrong, **composed}, None
        term = p.terms[int(rng.integers(3))]
        below = (values[term.name] - abs(wrong)) / term.scale
        yield "bound-broken", ids, {"bounds": {**exactly, term.name: below}}, None
        unknown = int(rng.choice([-1 - rng.integers(9), len(self.courier) + rng.integers(9)]))
        yield "unknown-column", np.append(ids, unknown), {}, unknown
        yield "not-ids", (ids + 0.5 if plan and rng.random() < 0.5 else ids[None]), {}, None
        if plan:
            again = int(rng.choice(ids))
            yield "repeated-column", np.append(ids, again), {}, again
            order = self.orders[again][0]
            others = [c for c, held in enumerate(self.orders) if order in held and c not in plan]
            if others:
                yield "order-repeated", np.append(ids, rng.choice(others)), {}, order
        # Columns are added to one courier until each limit in turn is exceeded.
        j = int(rng.integers(p.n_couriers))
        told: set[str] = set()
        more = list(plan)
        for c in rng.permutation(self.of[j]).tolist() if self.of[j] else []:
            if c in more:
                continue
            more.append(c)
            for kind, broken in self.over(j, more).items():
                if broken and kind not in told:
                    told.add(kind)
                    yield kind, np.array(more), {}, j


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plans", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, began = np.random.default_rng(arguments.seed), time.process_time()
    planted: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    in_verify_s = 0.0
    while planted.total() < arguments.plans:
        world = World(rng)
        for _ in range(PLANS_PER_PROBLEM):
            for kind, columns, claims, named in world.checks():
                start = time.perf_counter()
                faults = verify(world.problem, columns, **claims).faults
                in_verify_s += time.perf_counter() - start
                planted[kind or "none"] += 1
                caught = any(f.kind == kind and (named is None or named in f.ids) for f in faults)
                if caught != bool(kind) or (not kind and faults):
                    missed[kind or "none"] += 1
    for kind, count in sorted(planted.items()):
        print(f"  {kind:16s} {count:8d} planted, {missed[kind]} not told")
    print(
        f"{planted.total()} plans, {missed.total()} wrong answers; "
        f"{1e6 * in_verify_s / planted.total():.0f} us a plan in verify, "
        f"{time.process_time() - began:.0f} CPU s in all"
    )
    if missed:
        sys.exit("verify was wrong")


if __name__ == "__main__":
    main()
