"""New stops among those a courier has on board: every sequence tried, every promise kept."""

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest

from optimization import stop_sequences
from optimization.bundling import (
    BundleCaps,
    EdgeLegs,
    Lanes,
    OpenStops,
    TripData,
    bundle_columns,
    sequence_trips,
    sequencing,
)

INF = np.inf


class Crew:
    """Couriers of a small planar city with 0 to 4 open stops each, and orders for all of them."""

    def __init__(self, seed, n=5, counts=(0, 1, 2, 3, 4), *, speed=5.0):
        rng = np.random.default_rng(seed)
        m, most = len(counts), max(1, *counts)
        self.count, self.speed = np.array(counts), speed
        self.pickup, self.dropoff = rng.uniform(0, 2000, (n, 2)), rng.uniform(0, 2000, (n, 2))
        self.start, self.place = rng.uniform(0, 2000, (m, 2)), rng.uniform(0, 2000, (m, most, 2))
        self.size = rng.integers(1, 4, n)
        # an open pickup is followed by its dropoff; what is not picked up here is carried already
        self.is_door = np.ones((m, most), np.bool_)
        for j in range(m):
            if counts[j] >= 2 and rng.random() < 0.6:
                self.is_door[j, rng.integers(counts[j] - 1)] = False
        change = np.where(self.is_door, -1, 1)
        weight = rng.integers(1, 3, (m, 1))
        real = np.arange(most) < self.count[:, None]
        carried = np.maximum(-(change * real).sum(axis=1), 0)
        self.load = np.stack((carried, carried * weight[:, 0]))
        self.change = np.stack((change, change * weight))
        self.room = np.stack((rng.integers(1, 5, m), rng.integers(3, 9, m)))
        self.earliest = np.where(self.is_door, -INF, rng.uniform(0, 400, (m, most)))
        self.before, self.after = rng.uniform(0, 60, (m, most)), rng.uniform(0, 60, (m, most))
        self.free = rng.uniform(0, 200, m)
        self.planned = np.zeros((m, most))
        for j in range(m):
            now, here = self.free[j], self.start[j]
            for s in range(counts[j]):
                now += self._gap(here, self.place[j, s]) / speed + self.before[j, s]
                self.planned[j, s] = now = max(now, self.earliest[j, s])
                now, here = now + self.after[j, s], self.place[j, s]
        no_promise = ~self.is_door | (rng.random((m, most)) < 0.3)
        slack = rng.uniform(-200, 900, (m, most))
        self.due = np.where(no_promise, INF, self.planned + slack)
        self.latest = np.where(self.is_door, self.planned + rng.uniform(0, 700, (m, most)), INF)
        order, courier = (grid.ravel() for grid in np.meshgrid(range(n), range(m), indexing="ij"))
        row = np.where(self.count[courier] > 0, np.cumsum(self.count[courier] > 0) - 1, -1)
        opened = np.flatnonzero(row >= 0)
        ends = (self.pickup[order[opened]], self.dropoff[order[opened]])
        away = np.stack(
            [[self._gap(self.place[courier[opened], s], end) for s in range(most)] for end in ends]
        )
        before = np.concatenate((self.start[:, None], self.place[:, :-1]), axis=1)
        chain = self._gap(before, self.place)
        to_pickup = self._gap(self.start[courier], self.pickup[order])
        own = self._gap(self.pickup[order], self.dropoff[order])
        self.data = TripData(
            order=order,
            courier=courier,
            to_pickup_s=to_pickup / speed,
            own_s=own / speed,
            ready_s=rng.uniform(0, 600, n),
            due_s=np.where(rng.random(n) < 0.3, INF, rng.uniform(600, 1800, n)),
            pickup_before_s=rng.uniform(0, 60, n),
            pickup_after_s=rng.uniform(0, 60, n),
            dropoff_before_s=rng.uniform(0, 60, n),
            dropoff_after_s=rng.uniform(0, 60, n),
            free_s=self.free,
            pickup_end_s=np.where(rng.random(m) < 0.3, 1500.0, INF),
            end_s=rng.uniform(1500, 4000, m),
            range_m=np.where(rng.random(m) < 0.5, rng.uniform(5000, 9000, m), INF),
            to_pickup_m=to_pickup,
            own_m=own,
            opened=OpenStops(
                count=self.count,
                is_door=self.is_door,
                earliest_s=self.earliest,
                latest_s=self.latest,
                due_s=self.due,
                planned_s=self.planned,
                before_s=self.before,
                after_s=self.after,
                chain_s=chain / speed,
                chain_m=chain,
                load=self.load,
                load_change=self.change,
                room=self.room,
                order_size=self.size,
                row=row,
                from_s=away / speed,
                from_m=away,
                to_s=away / speed,
                to_m=away,
            ),
        )

    @staticmethod
    def _gap(a, b):
        return np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1])

    def legs(self, first, second):
        a, b = self.data.order[first], self.data.order[second]
        p, d = self.pickup, self.dropoff
        ends = [(p[a], p[b]), (p[a], d[b]), (d[a], p[b]), (d[a], d[b])]
        ends += [(p[b], p[a]), (p[b], d[a]), (d[b], p[a]), (d[b], d[a])]
        metres = np.stack([self._gap(x, y) for x, y in ends])
        return EdgeLegs(metres / self.speed, metres)

    def lanes(self, q):
        """Every q orders with every courier, and the legs of their couples."""
        m = len(self.count)
        groups = [(j, o) for j in range(m) for o in combinations(range(len(self.size)), q)]
        pair = np.array([[i * m + j for i in orders] for j, orders in groups])
        couples = [(x, y) for x in range(q) for y in range(x + 1, q)]
        ends = [(row[x], row[y]) for row in pair for x, y in couples]
        first, second = np.array(ends, np.int64).reshape(-1, 2).T
        edge_lane = np.arange(len(ends)).reshape(len(pair), len(couples))
        return Lanes(np.arange(len(pair)), pair, edge_lane, 0), self.legs(first, second)

    def ridden(self, j, orders, sequence):
        """Cost of one sequence ridden stop by stop in plain Python; inf where impossible."""
        data, c, q = self.data, self.count[j], len(orders)
        here, now, metres, cost = self.start[j], self.free[j], 0.0, 0.0
        load = self.load[:, j].copy()
        for stop in sequence:
            if stop <= c:
                s, goal = stop - 1, self.place[j, stop - 1]
                before, after = self.before[j, s], self.after[j, s]
                earliest, latest, due = self.earliest[j, s], self.latest[j, s], self.due[j, s]
                door, change = self.is_door[j, s], self.change[:, j, s]
            else:
                i, door = orders[(stop - c - 1) % q], stop > c + q
                goal = self.dropoff[i] if door else self.pickup[i]
                before = data.dropoff_before_s[i] if door else data.pickup_before_s[i]
                after = data.dropoff_after_s[i] if door else data.pickup_after_s[i]
                earliest, due = (-INF, data.due_s[i]) if door else (data.ready_s[i], INF)
                latest = INF if door else data.pickup_end_s[j]
                change = np.array([1, self.size[i]]) * (-1 if door else 1)
            leg = float(self._gap(here, goal))
            metres, here = metres + leg, goal
            now = max(now + leg / self.speed + before, earliest)
            load = load + change
            over = ((change > 0) & (load > self.room[:, j])).any()
            if now > latest or (c and over):  # without open stops, room is looked at before
                return INF
            cost += now + max(0.0, now - due) if door else 0.0
            if stop <= c and door:
                planned = self.planned[j, s]
                cost -= planned + max(0.0, planned - due)
            now += after
        return INF if now > data.end_s[j] or metres > data.range_m[j] else cost

    def tables(self, j, q):
        """Every sequence with each pickup before its dropoff and open stops as they were."""
        c = int(self.count[j])
        for s in permutations(range(1, c + 2 * q + 1)):
            new_ones = all(s.index(c + k) < s.index(c + q + k) for k in range(1, q + 1))
            if new_ones and [x for x in s if x <= c] == list(range(1, c + 1)):
                yield s

    def least(self, j, orders):
        return min(self.ridden(j, orders, s) for s in self.tables(j, len(orders)))


@pytest.fixture(params=["compiled", "arrays"])
def engine(request, monkeypatch):
    if request.param == "arrays":
        monkeypatch.setattr(sequencing, "compiler_present", lambda: False)
    elif not sequencing.compiler_present():
        pytest.skip("numba is not installed")
    return request.param


def test_the_table_holds_every_merged_sequence_once():
    crew = Crew(0)
    for q, opened in ((1, 0), (1, 4), (2, 2), (2, 3), (3, 1)):
        table = stop_sequences(q, opened).tolist()
        j = crew.count.tolist().index(opened)
        assert table == sorted(map(list, crew.tables(j, q)))
    assert len(stop_sequences(3, 4)) == 18_900


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("q", [1, 2])
def test_no_permutation_beats_the_sequence_found(seed, q, engine):
    """Windows, services, loads, promises, shifts and ranges, ridden in plain Python."""
    crew = Crew(seed, n=4)
    lanes, legs = crew.lanes(q)
    sequence, cost = sequence_trips(crew.data, lanes, legs)
    for pair, s, value in zip(lanes.pair, sequence, cost, strict=True):
        j, orders = int(crew.data.courier[pair[0]]), crew.data.order[pair].tolist()
        assert value == pytest.approx(crew.least(j, orders))
        if s >= 0:
            chosen = stop_sequences(q, int(crew.count[j]))[s].tolist()
            assert crew.ridden(j, orders, chosen) == pytest.approx(value)
    among = np.flatnonzero((crew.count[crew.data.courier[lanes.pair[:, 0]]] > 1) & (sequence >= 0))
    assert len(among) > 1


@pytest.mark.parametrize("seed", range(3))
def test_three_new_orders_among_open_stops(seed, engine):
    crew = Crew(seed, n=3, counts=(1, 2))
    crew.data = replace(crew.data, end_s=crew.data.end_s + 2000, range_m=np.full(2, INF))
    lanes, legs = crew.lanes(3)
    _, cost = sequence_trips(crew.data, lanes, legs)
    assert cost == pytest.approx([crew.least(j, (0, 1, 2)) for j in (0, 1)])


def test_both_engines_agree_to_the_last_bit(monkeypatch):
    crew = Crew(11, n=8, counts=(0, 4, 3, 2, 1, 0, 2))
    found = []
    for present in (True, False):
        monkeypatch.setattr(sequencing, "compiler_present", lambda present=present: present)
        found.append([sequence_trips(crew.data, *crew.lanes(q)) for q in (1, 2)])
    for (one, cost), (other, cost_too) in zip(*found, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(cost, cost_too)


@pytest.mark.parametrize("q", [1, 2, 3])
def test_couriers_without_open_stops_are_not_changed_by_those_who_have_some(q, engine):
    crew = Crew(4, counts=(0, 3, 0, 1))
    lanes, legs = crew.lanes(q)
    idle = crew.count[crew.data.courier[lanes.pair[:, 0]]] == 0
    mixed = sequence_trips(crew.data, lanes, legs)
    alone = sequence_trips(replace(crew.data, opened=None), lanes, legs)
    assert np.array_equal(mixed[0][idle], alone[0][idle])
    assert np.array_equal(mixed[1][idle], alone[1][idle])
    assert (mixed[0][idle] >= 0).any()


def test_bundles_of_couriers_with_open_stops_cost_what_riding_them_costs(engine):
    crew = Crew(8, n=5, counts=(0, 2, 1))
    data = crew.data
    columns = bundle_columns(
        data,
        data.free_s[data.courier] + data.to_pickup_s,
        crew.pickup,
        crew.dropoff,
        crew.size,
        np.full(3, 3),
        np.full(3, 100),
        crew.legs,
        BundleCaps(mates_per_order=20, couriers_per_pair=50, max_ready_gap_s=1e9, max_orders=2),
    )
    tried = [(j, orders) for j in range(3) for orders in combinations(range(5), 2)]
    least = {(j, orders): crew.least(j, orders) for j, orders in tried}
    found = {
        (int(data.courier[pair[0]]), tuple(data.order[pair[:2]].tolist())): cost
        for pair, cost in zip(columns.pair, columns.cost_s, strict=True)
    }
    assert found == pytest.approx({key: cost for key, cost in least.items() if np.isfinite(cost)})
    assert {j for j, _ in found} == {0, 1, 2}
    assert columns.counts["sequences"] == 10 * (6 + 90 + 30)


def on_a_line(*, latest, room=2):
    """One courier at 0 riding a metre a second, a door on board at 600, an order from 100 to 200.

    On paper: first the order, then the door: the order is there at 200, the door at 600, as it
    would have been: the sum is 200. First the door: 600, back to 100 at 1100, there at 1200.
    """
    crew = Crew(0, n=1, counts=(1,), speed=1.0)
    crew.start, crew.free = np.zeros((1, 2)), np.zeros(1)
    crew.place = np.array([[[600.0, 0.0]]])
    crew.pickup, crew.dropoff = np.array([[100.0, 0.0]]), np.array([[200.0, 0.0]])
    none, zero = np.full((1, 1), INF), np.zeros((1, 1))
    away = np.array([[[500.0]], [[400.0]]])
    opened = replace(
        crew.data.opened,
        is_door=np.ones((1, 1), np.bool_),
        earliest_s=-none,
        latest_s=np.full((1, 1), latest),
        due_s=none,
        planned_s=np.full((1, 1), 600.0),
        before_s=zero,
        after_s=zero,
        chain_s=np.full((1, 1), 600.0),
        chain_m=np.full((1, 1), 600.0),
        load=np.ones((2, 1), np.int64),
        load_change=np.full((2, 1, 1), -1),
        room=np.full((2, 1), room),
        order_size=np.ones(1, np.int64),
        from_s=away,
        from_m=away,
        to_s=away,
        to_m=away,
    )
    unlimited, still = np.full(1, INF), np.zeros(1)
    crew.data = replace(
        crew.data,
        to_pickup_s=np.full(1, 100.0),
        own_s=np.full(1, 100.0),
        to_pickup_m=np.full(1, 100.0),
        own_m=np.full(1, 100.0),
        free_s=still,
        ready_s=still,
        due_s=unlimited,
        pickup_before_s=still,
        pickup_after_s=still,
        dropoff_before_s=still,
        dropoff_after_s=still,
        pickup_end_s=unlimited,
        end_s=unlimited,
        range_m=unlimited,
        opened=opened,
    )
    return crew


def test_an_order_on_the_way_is_delivered_on_the_way(engine):
    crew = on_a_line(latest=600.0)
    sequence, cost = sequence_trips(crew.data, *crew.lanes(1))
    assert stop_sequences(1, 1)[sequence[0]].tolist() == [2, 3, 1]
    assert cost[0] == pytest.approx(200)


def test_a_promise_on_board_comes_before_a_short_cut(engine):
    """Ready at 150 the order costs the door 50 s: 250 and 50; not if the door may not be later."""
    crew = on_a_line(latest=650.0)
    crew.data = replace(crew.data, ready_s=np.full(1, 150.0))
    sequence, cost = sequence_trips(crew.data, *crew.lanes(1))
    assert stop_sequences(1, 1)[sequence[0]].tolist() == [2, 3, 1]
    assert cost[0] == pytest.approx(250 + 50)
    crew.data = replace(
        crew.data, opened=replace(crew.data.opened, latest_s=np.full((1, 1), 649.0))
    )
    sequence, cost = sequence_trips(crew.data, *crew.lanes(1))
    assert stop_sequences(1, 1)[sequence[0]].tolist() == [1, 2, 3]
    assert cost[0] == pytest.approx(1200)


def test_what_does_not_fit_beside_the_load_waits_for_the_door(engine):
    crew = on_a_line(latest=INF, room=1)
    sequence, cost = sequence_trips(crew.data, *crew.lanes(1))
    assert stop_sequences(1, 1)[sequence[0]].tolist() == [1, 2, 3]
    assert cost[0] == pytest.approx(1200)
