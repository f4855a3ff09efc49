"""The application: `uvicorn --factory api.main:create_app`."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib.metadata import version
from threading import current_thread, main_thread

from fastapi import FastAPI

from api import openapi
from api.access import AccessMiddleware
from api.admission import Admission
from api.problems import install_handlers
from api.routes import assign, frontier, health, schema
from api.service import Service
from api.settings import Settings
from dispatch.pipeline import Dispatcher


@contextmanager
def _reloading(service: Service) -> Iterator[None]:
    """Load model and configuration anew on SIGHUP, where there are such signals."""
    if not hasattr(signal, "SIGHUP") or current_thread() is not main_thread():
        yield
        return
    loop, running = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def reload() -> None:
        task = loop.create_task(service.reload())
        running.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def create_app(settings: Settings | None = None, dispatcher: Dispatcher | None = None) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    settings
        From the environment where none are given.
    dispatcher
        One that is ready; where none is given, it is made at start from the settings. If that
        fails the process stays alive and /readyz says why.
    """
    given = settings or Settings()
    logging.basicConfig(format="%(message)s")  # does nothing where logging is set up already
    logging.getLogger("api").setLevel(given.log_level)
    service = Service(given, Admission(given.max_concurrent, given.max_queued), dispatcher)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        with _reloading(service):
            yield

    app = FastAPI(
        title="Courier dispatch",
        version=version("courier-dispatch"),
        description="A snapshot of orders and couriers in, a checked plan out.",
        lifespan=lifespan,
        docs_url=None,  # its assets come from elsewhere; /openapi.json is ours
        redoc_url=None,
    )
    app.state.service = service
    install_handlers(app)
    app.add_middleware(AccessMiddleware)
    for room in (assign, frontier, health, schema):
        app.include_router(room.router)
    app.openapi = partial(openapi.document, app)  # type: ignore[method-assign]
    return app
