"""Compiled loops: kept on disk, and never older than the loops and constants they use."""

import gc
import importlib
import sys

import numpy as np
import pytest

from optimization import Deadline, Weights, solve, warm_up
from optimization.compiled import _Loop, compiled, compiler_present

OUTER = """
from optimization.compiled import compiled
from {inner} import FACTOR, scaled

@compiled(in_place=True)
def total(values):
    answer = 0
    for k in range(values.size):
        answer += scaled(values[k]) + FACTOR
    return answer
"""
INNER = """
from optimization.compiled import compiled

FACTOR = {factor}

@compiled(in_place=True)
def scaled(value):
    return {body}
"""


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Write the two modules, load them afresh, and add up 1, 2 and 3."""
    monkeypatch.syspath_prepend(str(tmp_path))
    # Bytecode on disk goes by whole seconds: too coarse for a test.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    # Written once: numba itself would notice that this file has changed.
    (tmp_path / "loops_outer.py").write_text(OUTER.format(inner="loops_inner"))

    def run(body, factor):
        (tmp_path / "loops_inner.py").write_text(INNER.format(body=body, factor=factor))
        for name in ("loops_outer", "loops_inner"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        loop = importlib.import_module("loops_outer").total
        return loop(np.array([1, 2, 3])), loop

    yield run
    for name in ("loops_outer", "loops_inner"):
        sys.modules.pop(name, None)


@pytest.mark.skipif(not compiler_present(), reason="there is nothing to keep without numba")
def test_a_loop_on_disk_follows_what_other_files_say(ask):
    """Edits to a callee or a constant in another file are noticed; no edit reads the cache."""
    assert ask("value * 2", 5)[0] == 27
    answer, loop = ask("value * 2", 5)
    assert answer == 27
    assert sum(loop._machine().stats.cache_hits.values()) == 1
    assert ask("value * 3", 5)[0] == 33
    assert ask("value * 3", 7)[0] == 39


def test_without_numba_loops_run_as_they_are_written(ask, monkeypatch):
    monkeypatch.setattr("optimization.compiled.compiler_present", lambda: False)
    assert ask("value * 2", 5)[0] == 27


def test_a_loop_keeps_its_name_and_documentation():
    @compiled
    def noted():
        """Say why."""

    assert (noted.__name__, noted.__doc__) == ("noted", "Say why.")


def _kind(value):
    """What a compiler tells apart: type and layout of arrays, the fields of tuples, scalars."""
    if isinstance(value, np.ndarray):
        order = "C" if value.flags.c_contiguous else "F" if value.flags.f_contiguous else "A"
        return value.dtype.str, value.ndim, order, value.flags.writeable
    if isinstance(value, tuple):
        return type(value).__name__, *map(_kind, value)
    return np.asarray(value).dtype.str


def test_after_the_warm_up_solving_compiles_nothing_more(random_problem, monkeypatch):
    """Neither another loop nor a known one for other kinds of arrays: a deadline has no time."""
    called, depth = set(), [0]

    def machine(loop):
        def run(*args):
            if not depth[0]:
                called.add((loop.__module__, loop.__qualname__, *map(_kind, args)))
            depth[0] += 1
            try:
                return loop._function(*args)
            finally:
                depth[0] -= 1

        return run

    monkeypatch.setattr(_Loop, "_machine", machine)
    monkeypatch.setattr(sys.modules["optimization.solve"], "MANY_PAIRS", 0)
    for loop in (found for found in gc.get_objects() if isinstance(found, _Loop)):
        monkeypatch.setattr(loop, "_run", None)
    warm_up()
    known = set(called)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        kinds = {"sizes": seed % 2 > 0, "bundles": seed % 3 > 1, "work": seed % 5 > 3}
        problem = random_problem(rng, **kinds)
        for seconds in (0.1, None):
            solve(problem, Weights({"a": 1.0, "c": 1.0}), deadline=Deadline.after(seconds))
    assert called - known == set()
