"""What is done with a candidate's library, in a process of its own that may die or hang.

`python -m models.kernels.evolve.child` reads one request as JSON and prints one answer as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.kernels.evolve.cases import Case, Kernel, LoadedForest, calls
from models.kernels.evolve.guarded import POISON, GuardedMemory

FloatArray = NDArray[np.float64]

_MEMORY_BYTES: Final = 4 << 30
_FEWEST_PAIRS: Final = 3
_WORD: Final = 1 << 64


class Rejected(Exception):  # noqa: N818 - a verdict, not an error of ours
    """A gate did not let the candidate through."""

    def __init__(self, gate: str, reason: str) -> None:
        super().__init__(reason)
        self.gate, self.reason = gate, reason


def check(request: dict[str, Any]) -> dict[str, Any]:
    """Score hard cases in guarded memory; the largest error in probability, or what was wrong.

    Raises
    ------
    Rejected
        By the gates `canary`, `unwritten` and `reference`.
    """
    kernel, largest, exact = Kernel(Path(request["library"])), 0.0, True
    for path, counts in request["cases"]:
        case = Case.load(Path(path))
        with np.load(Path(request["forests"]) / f"{case.forest}.npz", allow_pickle=False) as read:
            arrays = dict(read)
        for k, count in enumerate(counts):
            memory, before = GuardedMemory(), bool(k % 2)

            def place(array: Any, m: GuardedMemory = memory, b: bool = before) -> Any:
                return m.copy(np.ascontiguousarray(array), before=b)

            part = _part(case, count, shift=7 * k)
            out = memory.output(count, before=before)
            ran = kernel.ran
            forest = LoadedForest(arrays, place)
            for entry, arguments, _held in calls(part, forest, count, out, place):
                if getattr(kernel, entry)(*arguments):
                    raise Rejected("memory", f"{case.forest}, {count} rows: no memory")
            where = f"{case.forest}, {case.kind}, {count} rows"
            if (kernel.ran - ran) % _WORD != request["nonce"] * count % _WORD:
                raise Rejected("canary", f"{where}: other code than the candidate's answered")
            blank = np.flatnonzero(out.view(np.uint64) == POISON)
            if len(blank):
                raise Rejected("unwritten", f"{where}: rows {blank[:5].tolist()} were not written")
            exact &= bool(np.array_equal(out.view(np.uint64), part.expected.view(np.uint64)))
            error = np.abs(_probability(out) - _probability(part.expected)).max()
            if not error <= request["tolerance"]:
                raise Rejected("reference", f"{where}: off by {error:.1e} in probability")
            largest = max(largest, float(error))
    return {"error": largest, "exact": exact}


class Side:
    """One of the two libraries timed: its calls for a case, and how many rows it says it did."""

    def __init__(self, path: str, layout: str, nonce: int, case: Case, batch: int) -> None:
        self._kernel, self._nonce = Kernel(Path(path)), nonce
        with np.load(layout, allow_pickle=False) as read:
            self._forest = LoadedForest(dict(read))
        n = len(case.expected) // batch * batch
        self._out, self._expected = np.empty(n), _probability(case.expected[:n])
        made = list(calls(case, self._forest, batch, self._out))
        self._held = [held for *_, held in made]
        self._calls = [(getattr(self._kernel, entry), arguments) for entry, arguments, _ in made]

    def turn(self) -> float:
        """Score the case once; seconds of this thread.

        Raises
        ------
        Rejected
            By the gate `canary`, if the code that ran was not this library's.
        """
        ran = self._kernel.ran
        start = time.thread_time()
        for call, arguments in self._calls:
            call(*arguments)
        spent = time.thread_time() - start
        if (self._kernel.ran - ran) % _WORD != self._nonce * len(self._out) % _WORD:
            raise Rejected("canary", "other code than the candidate's was timed")
        return spent

    def right(self, tolerance: float) -> bool:
        """Say whether a turn that starts from nothing gives the scores expected."""
        self._out.fill(np.nan)
        self.turn()
        return bool(np.abs(_probability(self._out) - self._expected).max() <= tolerance)


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Time two libraries on cases in turn, which goes first changing: seconds of each pair by case.

    Raises
    ------
    Rejected
        By the gate `canary`, if the code that ran was not the candidate's, or by `reference`, if
        what is timed is not right.
    """
    found: dict[str, list[list[float]]] = {}
    for name, path, layouts, batch in request["cases"]:
        case = Case.load(Path(path))
        sides = [
            Side(library, layout, nonce, case, batch)
            for library, layout, nonce in zip(
                request["libraries"], layouts, request["nonces"], strict=True
            )
        ]
        if not all(side.right(request["tolerance"]) for side in sides):
            raise Rejected("reference", f"{name}: what is timed is not right")
        seconds: list[list[float]] = []
        spent = 0.0
        while len(seconds) < request["most_pairs"] and (
            len(seconds) < _FEWEST_PAIRS or spent < request["budget_s"]
        ):
            pair = [0.0, 0.0]
            for side in (0, 1) if len(seconds) % 2 else (1, 0):
                pair[side] = sides[side].turn()
            seconds.append(pair)
            spent += sum(pair)
        if not all(side.right(request["tolerance"]) for side in sides):
            raise Rejected("reference", f"{name}: right before it was timed, wrong afterwards")
        found[name] = seconds
    return {"seconds": found}


def _part(case: Case, count: int, shift: int) -> Case:
    """Take `count` rows of a case from `shift` on, in arrays of just their size."""
    start = shift % max(1, len(case.expected) - count)
    rows = slice(start, start + count)
    arrays = {
        name: array[:, rows] if name == "values"
        else array[rows] if name == "matrix" or name.endswith("_row")
        else array
        for name, array in case.arrays.items()
    }  # fmt: skip
    return Case(case.forest, case.kind, arrays, case.expected[rows])


def _probability(score: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-score)))


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = {"check": check, "measure": measure}[request["do"]](request)
    except Rejected as rejected:
        answer = {"gate": rejected.gate, "reason": rejected.reason}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
