"""`python -m optimization.worker`: solves models from standard input until it closes.

A process of its own, because an engine that overruns its limit can only be stopped by killing it.
"""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.frames import read_frame, write_frame
from optimization.solvers.model import MilpModel
from optimization.solvers.programs import program_named


def main() -> None:
    """Say "ready", then answer each model with its solution or the error it met."""
    # Engines write to standard output from C: keep the pipe for answers only.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import ortools.linear_solver.pywraplp  # noqa: F401 - the slow import is part of getting ready

    requests: queue.SimpleQueue[dict[str, NDArray[Any]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    write_frame(answers, {"ready": np.array(True)})
    import scipy.optimize  # noqa: F401 - needed next, and slow enough to be done while idle

    # Needed less often, and slower: who does not ask for it is served meanwhile.
    cp_sat = "ortools.sat.python.cp_model"
    threading.Thread(target=importlib.import_module, args=(cp_sat,), daemon=True).start()

    while True:
        request = requests.get()
        model = MilpModel(**{field.name: request[field.name] for field in fields(MilpModel)})
        try:
            answer = program_named(str(request["engine"]))(model, float(request["limit_s"]))
        except SolverError as error:
            write_frame(answers, {"error": np.array(str(error))})
            continue
        except Exception as error:  # an engine that somebody brought may raise anything
            text = f"{type(error).__name__}: {error}"
            write_frame(answers, {"error": np.array(text)})
            continue
        write_frame(
            answers,
            {
                "outcome": np.array(int(answer.outcome)),
                "values": answer.values,
                "claims": np.array([answer.objective, answer.bound]),
            },
        )


def _listen(requests: queue.SimpleQueue[dict[str, NDArray[Any]]]) -> None:
    """Queue requests; end the process when the caller has gone, in the midst of a solve too."""
    while (request := read_frame(sys.stdin.buffer)) is not None:
        requests.put(request)
    os._exit(0)


if __name__ == "__main__":
    main()
