"""The application: `uvicorn --factory api.main:create_app`."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI

from api import openapi
from api.access import AccessMiddleware
from api.admission import Admission
from api.problems import install_handlers
from api.routes import assign, frontier, health, schema
from api.service import Service
from api.settings import Settings
from dispatch.pipeline import Dispatcher


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
