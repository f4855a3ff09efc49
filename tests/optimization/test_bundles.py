from itertools import permutations

import numpy as np
import pytest

from optimization import ProblemError, best_sequences, stop_sequences


def _trips(rng, b, q):
    nodes = 2 * q + 1
    return {
        "start_s": rng.uniform(0, 500, b),
        "travel_s": rng.uniform(30, 900, (b, nodes, nodes)),
        "ready_s": rng.uniform(0, 1500, (b, q)),
        "due_s": np.where(rng.random((b, q)) < 0.3, np.inf, rng.uniform(500, 3000, (b, q))),
        "pickup_before_s": rng.uniform(0, 200, (b, q)),
        "pickup_after_s": rng.uniform(0, 200, (b, q)),
        "dropoff_before_s": rng.uniform(0, 200, (b, q)),
        "dropoff_after_s": rng.uniform(0, 200, (b, q)),
    }


def _timed(t, i, sequence, q):
    now, at, cost, events = t["start_s"][i], 0, 0.0, []
    for node in sequence:
        k = (node - 1) % q
        arrive = now + t["travel_s"][i, at, node]
        if node <= q:
            event = max(arrive + t["pickup_before_s"][i, k], t["ready_s"][i, k])
            now = event + t["pickup_after_s"][i, k]
        else:
            event = arrive + t["dropoff_before_s"][i, k]
            now = event + t["dropoff_after_s"][i, k]
            cost += event + max(0.0, event - t["due_s"][i, k])
        events.append((arrive, event, now))
        at = node
    return cost, events


@pytest.mark.parametrize(("q", "count"), [(1, 1), (2, 6), (3, 90)])
def test_sequences_put_every_pickup_first(q, count):
    table = stop_sequences(q)
    assert table.shape == (count, 2 * q)
    assert len({tuple(row) for row in table.tolist()}) == count
    for row in table.tolist():
        assert all(row.index(i) < row.index(i + q) for i in range(1, q + 1))


@pytest.mark.parametrize("q", [1, 2, 3])
def test_the_best_sequence_equals_plain_enumeration(q):
    trips = _trips(np.random.default_rng(q), 60, q)
    found = best_sequences(**trips)
    for i in range(60):
        options = [
            _timed(trips, i, s, q)[0]
            for s in permutations(range(1, 2 * q + 1))
            if all(s.index(k) < s.index(k + q) for k in range(1, q + 1))
        ]
        cost, events = _timed(trips, i, found.node[i].tolist(), q)
        assert found.cost_s[i] == pytest.approx(min(options))
        assert cost == pytest.approx(min(options))
        times = np.stack([found.arrive_s[i], found.event_s[i], found.leave_s[i]], axis=1)
        assert times == pytest.approx(np.array(events))


def test_chunks_do_not_change_the_answer(monkeypatch):
    from optimization import bundles

    trips = _trips(np.random.default_rng(7), 50, 3)
    whole = best_sequences(**trips)
    monkeypatch.setattr(bundles, "CHUNK_LANES", 200)
    assert np.array_equal(best_sequences(**trips).node, whole.node)


def test_a_pickup_waits_for_readiness_after_the_service_before():
    """Grubhub's rule with 4 minutes of service: pick up at max(ready, arrival + 2), leave 2 on."""
    two = np.full((1, 1), 120.0)
    found = best_sequences(
        [0.0], np.full((1, 3, 3), 600.0), [[1000.0]], [[np.inf]], two, two, two, two
    )
    assert found.event_s.tolist() == [[1000.0, 1000.0 + 120 + 600 + 120]]
    assert found.leave_s[0, 0] == 1120.0
    assert found.cost_s.tolist() == [1840.0]


def test_ties_go_to_the_first_sequence_of_the_table():
    zero = np.zeros((1, 2))
    found = best_sequences(
        [0.0], np.zeros((1, 5, 5)), zero, zero + np.inf, zero, zero, zero, zero
    )  # fmt: skip
    assert found.node[0].tolist() == stop_sequences(2)[0].tolist()


def test_no_trips_give_no_sequences():
    none = np.zeros((0, 2))
    found = best_sequences(np.zeros(0), np.zeros((0, 5, 5)), none, none, none, none, none, none)
    assert found.node.shape == (0, 4)


def test_bad_shapes_and_numbers_are_reported_together():
    trips = _trips(np.random.default_rng(1), 3, 2)
    trips["due_s"] = trips["due_s"][:, :1]
    trips["start_s"] = np.array([0.0, np.nan, 1.0])
    with pytest.raises(ProblemError) as caught:
        best_sequences(**trips)
    assert len(caught.value.faults) == 2
    with pytest.raises(ProblemError, match=r"1\.\.3"):
        best_sequences(**_trips(np.random.default_rng(1), 3, 4))
