"""The paper instance, random small problems and a brute force that shares no code with engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    Term,
    acceptance_term,
    convex_spread,
    network,
    warm_up,
)
from optimization.scalar import ScalarProblem
from optimization.work import NO_LIMIT, Work, WorkPrice

PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 2), (3, 1), (3, 2)]
CHANCE = [0.9, 0.5, 0.8, 0.6, 0.7, 0.4, 0.3, 0.25]


@pytest.fixture(autouse=True)
def _one_shot() -> Iterator[None]:
    """Each test starts as a command line does: nothing compiled, so OR-Tools answers `solve`."""
    _forget_what_is_compiled()
    yield
    _forget_what_is_compiled()


def _forget_what_is_compiled() -> None:
    for ahead_of_time in (warm_up, network.warm_up):
        ahead_of_time.cache_clear()


@pytest.fixture
def paper() -> AssignmentProblem:
    """Four orders, three couriers who may take 2, 2 and 1 orders.

    Chances (order: courier chance): 0: A .9, B .5; 1: A .8, B .6; 2: A .7, C .4; 3: B .3, C .25.
    All orders served, so order 3 goes to B or C:

    - 3 to B, 2 to A: A and B have one place left each; {0A, 1B} = 1.5 beats {0B, 1A} = 1.3.
      Acceptance .3 + .7 + 1.5 = 2.50, orders per courier (2, 2, 0).
    - 3 to B, 2 to C: {0A, 1A} = 1.7 is best: .3 + .4 + 1.7 = 2.40, orders (2, 1, 1).
    - 3 to C, so 2 to A: {0A, 1B} = 1.5: .25 + .7 + 1.5 = 2.45, orders (2, 1, 1).

    Acceptance alone: 2.50. Everyone has no past and one hour, so the target is 4/3 orders an hour
    and the spread of (2, 2, 0) is 24/9, of (2, 1, 1) 6/9, the least possible. The frontier is
    (2.50, 24/9) and (2.45, 6/9): a fairness weight above .05 / 2 = .025 chooses the second.
    Columns: 0..7 in the order of the pairs; 2.50 is [0, 3, 4, 6], 2.45 is [0, 3, 4, 7].
    With sizes (2, 1, 2, 1) and A limited to size 3, A cannot hold {0, 2}: the best is 2.40,
    columns [0, 2, 5, 6] ({0B, 1A} with 2 to A gives 2.30 and 2.25).
    """
    max_orders = np.array([2, 2, 1])
    order, courier = np.array(PAIRS).T
    return AssignmentProblem.from_pairs(
        order,
        courier,
        order_size=np.ones(4, np.int64),
        max_orders=max_orders,
        max_size=np.full(3, 10),
        leave=np.full(4, 1000),
        terms=[
            acceptance_term(CHANCE, np.ones(8), max_orders),
            convex_spread(np.zeros(3), np.full(3, 3600.0), max_orders, 8, expected_orders=4),
        ],
    )


@pytest.fixture
def paper_with_sizes(paper: AssignmentProblem) -> AssignmentProblem:
    return paper.replace(order_size=np.array([2, 1, 2, 1]), max_size=np.array([3, 10, 10]))


def _random_problem(
    rng: np.random.Generator, *, sizes: bool = False, bundles: bool = False, work: bool = False
) -> AssignmentProblem:
    n, m = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    sets = [(i,) for i in range(n)]
    if bundles:
        sets += [(i, k) for i in range(n) for k in range(n) if i < k]
    columns = [(s, j) for s in sets for j in range(m) if rng.random() < (0.35 if bundles else 0.7)]
    columns = columns[:12]
    k = len(columns)
    max_orders = rng.integers(0, 4, m)
    slots = int(max_orders.sum())
    convex = [np.sort(rng.integers(-50, 200, q)) for q in max_orders]
    terms = [
        Term.linear("a", "x", 7, rng.integers(-100, 100, k), max_orders, constant=3),
        Term.linear("b", "y", 10, rng.integers(0, 50, k), max_orders),
        Term(
            "c",
            "z",
            4,
            -5,
            rng.integers(0, 3, k) * 10,
            np.concatenate([*convex, np.zeros(0, np.int64)]).astype(np.int64)[:slots],
        ),
    ]
    works: tuple[Work, ...] = ()
    if work:
        minutes = Work.unlimited("minutes", "s", rng.integers(0, 60, k), m)
        limit = rng.choice([20, 60, 90, NO_LIMIT], m)
        works = (minutes, Work("earnings", "cent", rng.integers(0, 60, k), limit))
        none = np.zeros(k, np.int64), np.zeros(slots, np.int64)
        terms.append(Term("d", "h", 5, 2, *none, _random_price(rng, m, "minutes")))
        price = _random_price(rng, m, str(rng.choice(["minutes", "earnings"])))
        terms[1] = Term("b", "y", 10, 0, terms[1].column, terms[1].marginal, price)
    return AssignmentProblem(
        n_orders=n,
        n_couriers=m,
        column_courier=np.array([j for _, j in columns], dtype=np.int64),
        column_ptr=np.cumsum([0, *(len(s) for s, _ in columns)]),
        column_order=np.array([i for s, _ in columns for i in s], dtype=np.int64),
        order_size=rng.integers(1, 4, n) if sizes else np.ones(n, np.int64),
        max_orders=max_orders,
        max_size=rng.integers(1, 6, m) if sizes else np.full(m, 100),
        leave=rng.choice([0, 700, 1000, 1500], n),
        terms=tuple(terms),
        one_column_per_courier=bundles,
        works=works,
    )


def _random_price(rng: np.random.Generator, m: int, work: str) -> WorkPrice:
    pieces = rng.integers(1, 4, m)
    knots = [
        np.append(0, np.sort(rng.choice(np.arange(1, 90), p - 1, replace=False))) for p in pieces
    ]
    slopes = [np.sort(rng.integers(-4, 9, p)) for p in pieces]
    return WorkPrice(
        work,
        np.concatenate([[0], np.cumsum(pieces)]),
        np.concatenate(knots),
        np.concatenate(slopes),
    )


def _along(knots: np.ndarray, slopes: np.ndarray, work: np.ndarray) -> np.ndarray:
    """Walk along the pieces one step of work at a time."""
    steps = np.arange(int(work.max(initial=0)))
    each = slopes[np.searchsorted(knots, steps, side="right") - 1]
    return np.concatenate([[0], np.cumsum(each)]).astype(np.int64)[work]


class Every:
    """All feasible selections of a small problem, by trying every subset of its columns."""

    def __init__(self, problem: AssignmentProblem) -> None:
        k, ptr = problem.n_columns, problem.column_ptr
        sets = ((np.arange(2**k)[:, None] >> np.arange(k)) & 1).astype(np.int64)
        holds = np.zeros((k, problem.n_orders), np.int64)
        for c in range(k):
            holds[c, problem.column_order[ptr[c] : ptr[c + 1]]] = 1
        owner = np.zeros((k, problem.n_couriers), np.int64)
        owner[np.arange(k), problem.column_courier] = 1
        served = sets @ holds
        count = sets @ (owner * holds.sum(axis=1)[:, None])
        load = sets @ (owner * (holds @ problem.order_size)[:, None])
        ok = (served <= 1).all(1) & (count <= problem.max_orders).all(1)
        ok &= (load <= problem.max_size).all(1)
        if problem.one_column_per_courier:
            ok &= (sets @ owner <= 1).all(1)
        added = {w.name: sets @ (owner * w.column[:, None]) for w in problem.works}
        for w in problem.works:
            ok &= (added[w.name] <= w.limit).all(1)
        self.added = {name: total[ok] for name, total in added.items()}
        self.problem, self.sets, self.count = problem, sets[ok], count[ok]
        self.coverage = (1 - served[ok]) @ problem.leave

    def priced(self, constant: int, column: np.ndarray, marginal: np.ndarray, *work) -> np.ndarray:
        """Price of every selection."""
        total = constant + self.sets @ column
        for price in work:
            for j in range(self.problem.n_couriers):
                piece = slice(price.ptr[j], price.ptr[j + 1])
                mine = self.added[price.work][:, j]
                total = total + _along(price.knot[piece], price.slope[piece], mine)
        most = self.problem.max_orders
        for j, start in enumerate(np.cumsum(most) - most):
            paid = np.concatenate([[0], np.cumsum(marginal[start : start + most[j]])])
            total = total + paid.astype(np.int64)[self.count[:, j]]
        return total


def _brute_force(scalar: ScalarProblem) -> tuple[int, int] | None:
    """Least (coverage, objective) over all subsets of columns; None where none keeps the bounds."""
    every = Every(scalar.problem)
    coverage = every.coverage
    value = every.priced(scalar.constant, scalar.column_cost, scalar.marginal, *scalar.work)
    inside = coverage == coverage.min()
    for bound in scalar.bounds:
        term = bound.term
        work = () if term.work is None else (term.work,)
        inside &= every.priced(term.constant, term.column, term.marginal, *work) <= bound.limit
    return (int(coverage.min()), int(value[inside].min())) if inside.any() else None


def _image(problem: AssignmentProblem, *objectives: ScalarProblem | Term) -> np.ndarray:
    """Distinct values of the objectives over all selections of best coverage, one row each."""
    every = Every(problem)
    best = every.coverage == every.coverage.min()
    values = []
    for o in objectives:
        if isinstance(o, ScalarProblem):
            column, work = o.column_cost, o.work
        else:
            column, work = o.column, () if o.work is None else (o.work,)
        values.append(every.priced(o.constant, column, o.marginal, *work)[best])
    return np.unique(np.column_stack(values), axis=0)


@pytest.fixture
def random_problem() -> Callable[..., AssignmentProblem]:
    """At most 4 orders, 3 couriers and 12 columns, three terms, one of them convex."""
    return _random_problem


@pytest.fixture
def brute_force() -> Callable[[ScalarProblem], tuple[int, int] | None]:
    return _brute_force


@pytest.fixture
def image() -> Callable[..., np.ndarray]:
    return _image


@pytest.fixture
def every() -> type[Every]:
    return Every
