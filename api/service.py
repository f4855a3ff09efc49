"""What the routes share: the dispatcher once it is ready, and the gate before it."""

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


@dataclass(slots=True)
class Service:
    """State of a running service; `fault` says why there is no dispatcher (yet)."""

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
        """Load configuration and model and decide one example; a failure is kept as `fault`."""
        if self.loaded is None:
            try:
                self.loaded = await run_sync(_load, self.settings)
            except (InvalidInputError, ModelError, OSError) as error:
                self.fault = str(error)


def _load(settings: Settings) -> Dispatcher:
    if settings.model_dir is None:
        raise FileNotFoundError("no model: set DISPATCH_MODEL_DIR to an artefact folder")
    config = DispatchConfig() if settings.config is None else load_config(settings.config)
    dispatcher = Dispatcher(load(settings.model_dir), config)
    # the first decision imports solvers and starts their workers: better now than on a request
    dispatcher.assign(example_snapshot())
    return dispatcher
