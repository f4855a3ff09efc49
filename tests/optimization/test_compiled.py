"""Compiled loops: kept on disk, and never older than the loops and constants they use."""

import importlib
import sys

import numpy as np
import pytest

from optimization.compiled import compiled, compiler_present

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
