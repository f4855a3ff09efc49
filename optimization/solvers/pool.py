"""Warm worker processes that are killed when the deadline passes."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.frames import read_frame, write_frame
from optimization.solvers.cbc import MilpAnswer, Outcome
from optimization.solvers.model import MilpModel
from optimization.stop import Deadline

GRACE_S = 0.02
"""How long after the deadline an answer may still be on its way before the worker is killed."""


class _Worker:
    """One child process; `ask` talks to it, `kill` ends it."""

    def __init__(self, command: Sequence[str]) -> None:
        # The child finds the package wherever this process was started from.
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )

    def receive(self) -> dict[str, NDArray[Any]] | None:
        if self.process.stdout is None:
            raise SolverError("the worker process has no output pipe")
        return read_frame(self.process.stdout)

    def ask(self, request: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]] | None:
        if self.process.stdin is None:
            raise SolverError("the worker process has no input pipe")
        # A worker that died, or is killed while it is being written to, breaks the pipe.
        with contextlib.suppress(OSError):
            write_frame(self.process.stdin, request)
            return self.receive()
        return None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class WorkerPool:
    """Runs models in child processes: started on first use, kept warm, one per concurrent caller.

    Parameters
    ----------
    command
        How to start a worker; the one of this package by default.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = command or [sys.executable, "-m", "optimization.worker"]
        self._idle: queue.LifoQueue[_Worker | SolverError] = queue.LifoQueue()
        self._all: list[_Worker] = []
        self._callers = 0
        self._expected = 0  # workers alive or starting
        self._lock = threading.Lock()
        atexit.register(self.close)

    def warm(self) -> threading.Thread:
        """Start one more worker in the background; join the thread to wait for it."""
        with self._lock:
            self._expected += 1
        return self._launch()

    def _launch(self) -> threading.Thread:
        thread = threading.Thread(target=self._start, daemon=True)
        thread.start()
        return thread

    def run(self, model: MilpModel, deadline: Deadline, engine: str = "cbc") -> MilpAnswer | None:
        """Solve, or return None when the deadline passes first.

        A worker still starting at the deadline goes on starting and serves the next call. CBC for
        problems of single pairs, HiGHS for those of sets.

        Raises
        ------
        SolverError
            If the worker cannot be started, dies on its own, or reports an error.
        """
        with self._lock:
            self._callers += 1
        try:
            worker = None if deadline.expired else self._take(deadline)
            return None if worker is None else self._ask(worker, model, deadline, engine)
        finally:
            with self._lock:
                self._callers -= 1

    def _ask(
        self, worker: _Worker, model: MilpModel, deadline: Deadline, engine: str
    ) -> MilpAnswer | None:
        # The engine is asked to stop a little early, so that its incumbent still gets back.
        left = deadline.remaining()
        limit = np.array(max(0.001, 0.9 * left - 0.01))
        request: dict[str, NDArray[Any]] = {"limit_s": limit, "engine": np.array(engine)}
        request |= {field.name: getattr(model, field.name) for field in fields(MilpModel)}
        timer = None
        if math.isfinite(left):
            timer = threading.Timer(left + GRACE_S, worker.process.kill)
            timer.daemon = True
            timer.start()
        answer = worker.ask(request)
        if timer is not None:
            timer.cancel()
            # Joined, so that a kill already under way cannot hit the worker's next caller.
            timer.join()
        if answer is None or worker.process.poll() is not None:
            self._discard(worker)
            if answer is None and deadline.expired:
                return None
            if answer is None:
                raise SolverError(f"the worker died with status {worker.process.returncode}")
        else:
            self._idle.put(worker)
        if "error" in answer:
            raise SolverError(str(answer["error"]))
        objective, bound = answer["claims"].tolist()
        return MilpAnswer(Outcome(int(answer["outcome"])), answer["values"], objective, bound)

    @property
    def alive(self) -> int:
        """Number of workers started and not ended."""
        with self._lock:
            return len(self._all)

    def close(self) -> None:
        """End every worker."""
        with self._lock:
            workers, self._all, self._expected = self._all, [], 0
            self._idle = queue.LifoQueue()
        for worker in workers:
            worker.kill()

    def _take(self, deadline: Deadline) -> _Worker | None:
        left = deadline.remaining()
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            # Others hold at most one worker each: with as many as callers, one is ours to come.
            with self._lock:
                short = self._callers > self._expected
                self._expected += short
            if short:
                self._launch()
            try:
                worker = self._idle.get(timeout=None if math.isinf(left) else left)
            except queue.Empty:
                return None
        if isinstance(worker, SolverError):
            raise worker
        return worker

    def _start(self) -> None:
        try:
            worker = _Worker(self._command)
        except OSError as error:
            with self._lock:
                self._expected -= 1
            self._idle.put(SolverError(f"cannot start {self._command[0]}: {error}"))
            return
        with self._lock:
            self._all.append(worker)
        if worker.receive() is None:
            self._discard(worker)
            status = worker.process.returncode
            self._idle.put(SolverError(f"the worker ended with status {status} while starting"))
        else:
            self._idle.put(worker)

    def _discard(self, worker: _Worker) -> None:
        worker.kill()
        with self._lock:
            if worker in self._all:
                self._all.remove(worker)
                self._expected -= 1
