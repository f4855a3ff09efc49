"""What the routes share: the dispatcher once it is ready, and the gate before it."""

import logging
from dataclasses import dataclass

from anyio.to_thread import run_sync

from api.admission import Admission
from api.errors import NotReadyError
from api.examples import example_snapshot
from api.settings import Settings
from dispatch.config import DispatchConfig, load_config
from dispatch.errors import InvalidInputError
from dispatch.pipeline import Dispatcher
from models import ModelError, load
from optimization import warm_up

_LOG = logging.getLogger("api.service")


@dataclass(slots=True)
class Service:
    """State of a running service; `fault` says why there is no dispatcher, or no newer one."""

    settings: Settings
    admission: Admission
    loaded: Dispatcher | None = None
    fault: str = "the model is not loaded yet"

    @property
    def dispatcher(self) -> Dispatcher:
        """The dispatcher.

        Raises
        ------
        NotReadyError
            There is none; the text says why.
        """
        if self.loaded is None:
            raise NotReadyError(self.fault)
        return self.loaded

    async def start(self) -> None:
        """Load configuration and model, unless a dispatcher is there already."""
        if self.loaded is None:
            await self.reload()

    async def reload(self) -> None:
        """Load configuration and model anew and decide one example.

        Until that has succeeded the last good dispatcher serves on; a failure is kept as `fault`.
        """
        try:
            self.loaded, self.fault = await run_sync(_load, self.settings), ""
        except (InvalidInputError, ModelError, OSError) as error:
            self.fault = str(error)
            serving = "nothing" if self.loaded is None else self.loaded.model.version
            _LOG.warning("not loaded, %s serves on: %s", serving, error)


def _load(settings: Settings) -> Dispatcher:
    if settings.model_dir is None:
        raise FileNotFoundError("no model: set DISPATCH_MODEL_DIR to an artefact folder")
    config = DispatchConfig() if settings.config is None else load_config(settings.config)
    dispatcher = Dispatcher(
        load(settings.model_dir, config.refused, config.scoring_backend), config
    )
    # compiled loops first, so that the same engines answer from the first request on
    warm_up()
    # the first decision imports solvers and starts their workers: better now than on a request
    dispatcher.assign(example_snapshot())
    return dispatcher
