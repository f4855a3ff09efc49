"""Published non-dominated sets of assignment problems are reproduced point for point."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from optimization import Weights, exact_frontier
from optimization.representation import represent

READER = Path(__file__).parents[2] / "benchmarks" / "moap.py"
SLOW = pytest.mark.slow


def _reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("moap", READER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


moap = _reader()
needs_data = pytest.mark.skipif(moap.folder() is None, reason=moap.NOT_HERE)


def _reproduces(instance):
    frontier = exact_frontier(instance.problem(), Weights({"z1": 1.0}), "z2")
    assert frontier.complete
    assert np.rint(frontier.points).astype(int).tolist() == sorted(instance.published.tolist())


@needs_data
@pytest.mark.parametrize(
    "n", [5, 10, 15, 20, 25, 30, 35, *(pytest.param(n, marks=SLOW) for n in (40, 45, 50))]
)
def test_tuyttens_sets_are_reproduced(n):
    """Three of them only once their published dominated end point is corrected."""
    _reproduces(moap.tuyttens(n))


@needs_data
@pytest.mark.parametrize("shape", ["d5_c0-1000", "d10_c0-1000_non", "d20_c0-1000_non"])
def test_pedersen_sets_are_reproduced(shape):
    names = [name for name in moap.pedersen_names() if name[:-3].endswith(shape)]
    assert len(names) == 3
    for name in names:
        _reproduces(moap.pedersen(name))


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("shape", ["d10", "d20"])
def test_pedersen_sets_of_opposed_costs_are_reproduced(shape, number):
    _reproduces(moap.pedersen(f"Pedersen08_AP_{shape}_c0-1000_{number:02d}"))


@needs_data
@pytest.mark.parametrize("n", [30, 40, 45])
def test_the_published_fault_is_a_dominated_point(n):
    """The corrected point beats the published one, which no plan attains as a non-dominated one."""
    import json

    root = moap.folder() / "tuyttens00"
    fault = json.loads((root / "endpoint_corrections.json").read_text("utf-8"))[str(n)]
    assert fault["correct"][0] == fault["published"][0]
    assert fault["correct"][1] < fault["published"][1]
    assert fault["correct"] in moap.tuyttens(n).published.tolist()


@needs_data
def test_the_published_files_do_not_contradict_themselves():
    """Counts, repeats, dominated points and labels of all 43 sets: the three faults are all."""
    assert moap.contradictions() == []


@needs_data
@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("n", [5, 10, 15])
def test_kirlik_sets_of_three_objectives_are_reproduced(n, number):
    instance = moap.kirlik(n, number)
    found = represent(instance.problem(), ["z1", "z2", "z3"], divisions=10, within=0.0)
    assert found.complete
    assert found.values.tolist() == sorted(instance.published.tolist())
