from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest

from optimization import ProblemError, stop_sequences
from optimization.bundling import (
    BundleCaps,
    EdgeLegs,
    TripData,
    bundle_columns,
    mates,
    sequencing,
    triangles,
)

CAPS = BundleCaps(
    mates_per_order=20, couriers_per_pair=50, couriers_per_triple=50, max_ready_gap_s=1e9
)


class World:
    """A small planar city whose travel times differ by courier."""

    def __init__(self, seed, n=8, m=5, *, tight=True):
        rng = np.random.default_rng(seed)
        self.pickup, self.dropoff = rng.uniform(0, 3000, (n, 2)), rng.uniform(0, 3000, (n, 2))
        self.start, self.speed = rng.uniform(0, 3000, (m, 2)), rng.uniform(3, 8, m)
        pairs = np.argwhere(rng.random((n, m)) < 0.8)
        order, courier = pairs.T
        to_pickup = self._gap(self.start[courier], self.pickup[order])
        own = self._gap(self.pickup[order], self.dropoff[order])
        inf = np.full(m, np.inf)
        self.size = rng.integers(1, 3, n)
        self.room_orders, self.room_size = rng.integers(1, 4, m), rng.integers(2, 7, m)
        self.data = TripData(
            order=order,
            courier=courier,
            to_pickup_s=to_pickup / self.speed[courier],
            own_s=own / self.speed[courier],
            ready_s=rng.uniform(0, 900, n),
            due_s=np.where(rng.random(n) < 0.3, np.inf, rng.uniform(600, 2400, n)),
            pickup_before_s=rng.uniform(0, 120, n),
            pickup_after_s=rng.uniform(0, 120, n),
            dropoff_before_s=rng.uniform(0, 120, n),
            dropoff_after_s=rng.uniform(0, 120, n),
            free_s=rng.uniform(0, 300, m),
            pickup_end_s=np.where(rng.random(m) < 0.3, 1500.0, np.inf) if tight else inf,
            end_s=rng.uniform(1500, 5000, m) if tight else inf,
            range_m=np.where(rng.random(m) < 0.5, rng.uniform(4000, 9000, m), np.inf)
            if tight
            else inf,
            to_pickup_m=to_pickup,
            own_m=own,
        )

    @staticmethod
    def _gap(a, b):
        return np.hypot(*(a - b).T)

    def legs(self, first, second):
        a, b = self.data.order[first], self.data.order[second]
        speed, p, d = self.speed[self.data.courier[first]], self.pickup, self.dropoff
        ends = [(p[a], p[b]), (p[a], d[b]), (d[a], p[b]), (d[a], d[b])]
        ends += [(p[b], p[a]), (p[b], d[a]), (d[b], p[a]), (d[b], d[a])]
        metres = np.stack([self._gap(x, y) for x, y in ends])
        return EdgeLegs(metres / speed, metres)

    def columns(self, caps=CAPS):
        return bundle_columns(
            self.data,
            self.data.free_s[self.data.courier] + self.data.to_pickup_s,
            self.pickup,
            self.dropoff,
            self.size,
            self.room_orders,
            self.room_size,
            self.legs,
            caps,
        )

    def ridden(self, courier, orders, sequence):
        """Cost of one stop sequence ridden stop by stop in plain Python; inf where impossible."""
        data, q = self.data, len(orders)
        place, now, cost, metres = self.start[courier], data.free_s[courier], 0.0, 0.0
        for stop in sequence:
            i = orders[(stop - 1) % q]
            goal = self.pickup[i] if stop <= q else self.dropoff[i]
            leg = float(np.hypot(*(goal - place)))
            now, metres, place = now + leg / self.speed[courier], metres + leg, goal
            if stop <= q:
                now = max(now + data.pickup_before_s[i], data.ready_s[i])
                if now > data.pickup_end_s[courier]:
                    return np.inf
                now += data.pickup_after_s[i]
            else:
                now += data.dropoff_before_s[i]
                cost += now + max(0.0, now - data.due_s[i])
                now += data.dropoff_after_s[i]
        late = now > data.end_s[courier] or metres > data.range_m[courier]
        return np.inf if late else cost

    def reference(self):
        """Every (courier, orders) that fits and its cheapest feasible sequence's cost."""
        best = {}
        pairs = set(zip(self.data.order.tolist(), self.data.courier.tolist(), strict=True))
        for q in (2, 3):
            tables = [
                s
                for s in permutations(range(1, 2 * q + 1))
                if all(s.index(k) < s.index(k + q) for k in range(1, q + 1))
            ]
            for j in range(len(self.speed)):
                for orders in combinations(range(len(self.size)), q):
                    if self.room_orders[j] < q or self.size[list(orders)].sum() > self.room_size[j]:
                        continue
                    if not all((i, j) in pairs for i in orders):
                        continue
                    cost = min(self.ridden(j, orders, s) for s in tables)
                    if np.isfinite(cost):
                        best[j, orders] = cost
        return best


def _found(world, columns):
    found = {}
    for row, q, cost in zip(columns.pair, columns.orders, columns.cost_s, strict=True):
        orders = tuple(world.data.order[row[:q]].tolist())
        found[int(world.data.courier[row[0]]), orders] = cost
    return found


@pytest.fixture(params=["compiled", "arrays"])
def engine(request, monkeypatch):
    if request.param == "arrays":
        monkeypatch.setattr(sequencing, "compiler_present", lambda: False)
    elif not sequencing.compiler_present():
        pytest.skip("numba is not installed")
    return request.param


@pytest.mark.parametrize("seed", range(4))
def test_without_caps_every_feasible_bundle_is_found_at_its_exact_cost(seed, engine):
    world = World(seed)
    reference, columns = world.reference(), world.columns()
    found = _found(world, columns)
    assert found.keys() <= reference.keys()
    # A triple is tried only where its three pairs are feasible.
    for courier, orders in reference.keys() - found.keys():
        assert len(orders) == 3
        assert any((courier, two) not in reference for two in combinations(orders, 2))
    assert found == pytest.approx({key: reference[key] for key in found})
    assert len(found) > 20


@pytest.mark.parametrize("seed", range(3))
def test_the_sequence_given_is_the_one_that_costs_what_is_said(seed, engine):
    world = World(seed)
    columns = world.columns()
    for row, q, s, cost in zip(
        columns.pair, columns.orders, columns.sequence, columns.cost_s, strict=True
    ):
        orders = world.data.order[row[:q]].tolist()
        courier = int(world.data.courier[row[0]])
        assert world.ridden(courier, orders, stop_sequences(q)[s].tolist()) == pytest.approx(cost)


def test_both_engines_agree_to_the_last_bit(monkeypatch):
    world = World(5, n=20, m=15)
    one = world.columns()
    monkeypatch.setattr(sequencing, "compiler_present", lambda: False)
    other = world.columns()
    assert np.array_equal(one.sequence, other.sequence)
    assert np.array_equal(one.cost_s, other.cost_s)


def test_chunks_and_blocks_do_not_change_the_answer(monkeypatch):
    world = World(6, n=20, m=15)
    whole = world.columns()
    monkeypatch.setattr(sequencing, "CHUNK_LANES", 7)
    assert np.array_equal(world.columns().cost_s, whole.cost_s)


def test_caps_say_what_they_cut():
    world = World(7, n=20, m=15, tight=False)
    whole = world.columns()
    few = world.columns(replace(CAPS, mates_per_order=2, couriers_per_pair=2, orders_per_courier=1))
    couriers = replace(CAPS, mates_per_order=1, orders_per_courier=4, max_ready_gap_s=1e9)
    assert len(world.columns(couriers)) > len(
        world.columns(replace(couriers, orders_per_courier=1))
    )
    assert whole.counts["pairs cut"] == whole.counts["mates cut"] == 0
    assert few.counts["mates cut"] > 0
    assert few.counts["pairs cut"] > 0
    assert len(few) == sum(few.counts[f"{k} tried"] for k in ("pairs", "triples"))
    assert _found(world, few).items() <= _found(world, whole).items()
    assert (world.columns(replace(CAPS, max_orders=2)).orders == 2).all()


def test_the_prefix_tree_spells_out_the_table():
    for q in (1, 2, 3):
        tree = sequencing._tree(q)
        path, spelled = [0] * (2 * q), []
        rows = zip(tree.depth, tree.stop, tree.before, tree.leaf, strict=True)
        for depth, stop, before, leaf in rows:
            path[depth] = stop
            assert before == (path[depth - 1] if depth else 0)
            if leaf >= 0:
                assert leaf == len(spelled)
                spelled.append(list(path))
        assert spelled == stop_sequences(q).tolist()


def test_who_finishes_first_never_picks_up_between_doors():
    for q, kept in ((1, 1), (2, 6), (3, 66)):
        table = stop_sequences(q).tolist()
        left = sequencing._tree(q, 0, True).leaf
        sequences = [table[leaf] for leaf in left[left >= 0]]
        assert len(sequences) == kept
        for sequence in sequences:
            loads = np.cumsum([1 if stop <= q else -1 for stop in sequence])
            turns = [k for k in range(1, 2 * q) if sequence[k - 1] > q >= sequence[k]]
            assert all(loads[k - 1] == 0 for k in turns)


class Restaurants(World):
    """A city of restaurants with two orders each; one job after the other, one visit per place."""

    def __init__(self, seed):
        super().__init__(seed)
        data = self.data
        home = np.arange(len(self.pickup)) // 2 * 2
        self.pickup = self.pickup[home]
        to_pickup = self._gap(self.start[data.courier], self.pickup[data.order])
        own = self._gap(self.pickup[data.order], self.dropoff[data.order])
        self.data = replace(
            data,
            to_pickup_s=to_pickup / self.speed[data.courier],
            own_s=own / self.speed[data.courier],
            to_pickup_m=to_pickup,
            own_m=own,
            pickup_before_s=data.pickup_before_s[home],
            pickup_after_s=data.pickup_after_s[home],
        )

    def legs(self, first, second):
        together = self.data.order[first] // 2 == self.data.order[second] // 2
        return replace(super().legs(first, second), one_visit=together)

    def ridden(self, courier, orders, sequence):
        """As its base, where who is there already waits only and nobody picks up while carrying."""
        data, q, inf = self.data, len(orders), np.inf
        place, now, cost, metres, load, last = self.start[courier], data.free_s[courier], 0, 0, 0, 0
        for stop in sequence:
            i, pickup = orders[(stop - 1) % q], stop <= q
            before = orders[(last - 1) % q] if 0 < last <= q else -1
            again = pickup and before >= 0 and before // 2 == i // 2
            if pickup and load and not again:
                return inf
            if again:
                now = max(now - data.pickup_after_s[i], data.ready_s[i])
            else:
                goal = self.pickup[i] if pickup else self.dropoff[i]
                leg = float(np.hypot(*(goal - place)))
                now, metres, place = now + leg / self.speed[courier], metres + leg, goal
                now += data.pickup_before_s[i] if pickup else data.dropoff_before_s[i]
                now = max(now, data.ready_s[i]) if pickup else now
            if pickup and now > data.pickup_end_s[courier]:
                return inf
            cost += 0 if pickup else now + max(0.0, now - data.due_s[i])
            now += data.pickup_after_s[i] if pickup else data.dropoff_after_s[i]
            load, last = load + (1 if pickup else -1), stop
        late = now > data.end_s[courier] or metres > data.range_m[courier]
        return inf if late else cost


@pytest.mark.parametrize("seed", range(4))
def test_chains_of_visits_cost_what_riding_them_costs(seed, engine):
    """With one visit per place and one job after the other, no bundle is lost or mispriced."""
    world = Restaurants(seed)
    reference = world.reference()
    found = _found(world, world.columns(replace(CAPS, finish_first=True)))
    assert found.keys() <= reference.keys()
    assert found == pytest.approx({key: reference[key] for key in found})
    twos = {key for key in reference if len(key[1]) == 2}
    assert twos <= found.keys()
    assert any(a // 2 == b // 2 for _, (a, b) in twos)
    assert any(a // 2 != b // 2 for _, (a, b) in twos)


def test_mates_lie_on_each_others_way():
    """From one corner: b drops beyond a on the same road, c drops the other way."""
    pickup = np.zeros((3, 2))
    dropoff = np.array([[1000.0, 0.0], [1500.0, 0.0], [-1000.0, 0.0]])
    edges, cut = mates(pickup, dropoff, np.zeros(3), 1, 60.0)
    assert [0, 1] in edges.tolist()
    assert cut == 3
    assert mates(pickup, dropoff, np.array([0.0, 100.0, 200.0]), 1, 60.0)[0].size == 0
    assert mates(pickup[:1], dropoff[:1], np.zeros(1), 1, 60.0)[0].shape == (0, 2)


def test_triangles_are_all_triples_of_mates():
    rng = np.random.default_rng(3)
    edges = np.array([e for e in combinations(range(12), 2) if rng.random() < 0.5])
    known = {tuple(e) for e in edges.tolist()}
    want = {t for t in combinations(range(12), 3) if all(p in known for p in combinations(t, 2))}
    got = [tuple(np.unique(edges[list(row)]).tolist()) for row in triangles(edges, 12)]
    assert set(got) == want
    assert len(got) == len(want)
    assert triangles(np.empty((0, 2), np.int64), 5).shape == (0, 3)


def test_bad_input_is_reported_together():
    world = World(1)
    world.data = replace(
        world.data, ready_s=world.data.ready_s[:3], free_s=world.data.free_s * np.nan
    )
    with pytest.raises(ProblemError) as caught:
        world.columns()
    assert [f.split(":")[0] for f in caught.value.faults] == ["ready_s", "free_s"]
    world = World(1)
    world.data = replace(world.data, order=world.data.order[::-1])
    with pytest.raises(ProblemError, match="sort the candidate pairs"):
        world.columns()
    with pytest.raises(ProblemError, match="2 or 3"):
        BundleCaps(max_orders=4)
