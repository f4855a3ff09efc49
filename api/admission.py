"""Who gets in: a bounded number of requests, of which a few are worked on at once."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from api.errors import DeadlinePassedError, OverloadedError
from optimization import Deadline

Result = TypeVar("Result")


class Admission:
    """A gate with `max_concurrent` places to work and `max_queued` to wait.

    Work runs on threads of its own number, so the event loop stays free to answer; reading bodies
    has one thread beside them, so that a full house can still tell a bad request. `inside` counts
    the requests that hold a place.
    """

    def __init__(self, max_concurrent: int, max_queued: int) -> None:
        self._places = max_concurrent + max_queued
        self.inside = 0
        self._turn = anyio.Semaphore(max_concurrent)
        self._working = anyio.CapacityLimiter(max_concurrent)
        self._reading = anyio.CapacityLimiter(1)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Take a place for the time of a request.

        Raises
        ------
        OverloadedError
            All places are taken.
        """
        if self.inside >= self._places:
            raise OverloadedError(f"{self.inside} requests are waiting or worked on; try again")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def read(self, task: Callable[[], Result]) -> Result:
        """Run a short task beside the work."""
        return await run_sync(task, limiter=self._reading)

    async def work(self, task: Callable[[], Result], deadline: Deadline) -> Result:
        """Run a task on a thread when its turn comes.

        Raises
        ------
        DeadlinePassedError
            The deadline passed first; the task was not begun.
        """
        async with self._own_turn(deadline):
            return await run_sync(task, limiter=self._working)

    @asynccontextmanager
    async def _own_turn(self, deadline: Deadline) -> AsyncIterator[None]:
        with anyio.move_on_after(deadline.remaining()) as waiting:
            await self._turn.acquire()
        if waiting.cancelled_caught:
            raise DeadlinePassedError("no worker was free before the deadline")
        try:
            if deadline.expired:
                raise DeadlinePassedError("the deadline passed before the work could begin")
            yield
        finally:
            self._turn.release()
