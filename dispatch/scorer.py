"""Which probabilities a snapshot is decided by: its city's, and how cautiously read."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dispatch.config import DispatchConfig
from dispatch.errors import InvalidInputError, Problem
from dispatch.prepare import AcceptanceScorer
from dispatch.tables import Floats


@runtime_checkable
class PerCity(Protocol):
    """A model that knows cities apart."""

    def of_city(self, city: str) -> AcceptanceScorer:
        """Return the model as it stands for one city."""
        ...


@runtime_checkable
class WithIntervals(Protocol):
    """A model that knows how far it may be off."""

    @property
    def version(self) -> str:
        """Identify the model in plans."""
        ...

    def predict_interval(self, columns: dict[str, Floats], level: float) -> tuple[Floats, Floats]:
        """Lower and upper end of the interval of each probability, shape (n,)."""
        ...


@dataclass(frozen=True, slots=True)
class Cautious:
    """Reads the lower end of each interval in place of the probability."""

    model: WithIntervals
    level: float

    @property
    def version(self) -> str:
        """Identify the model in plans."""
        return self.model.version

    def predict_proba(self, columns: dict[str, Floats]) -> Floats:
        """Lower end of the interval of each probability, shape (n,)."""
        return self.model.predict_interval(columns, self.level)[0]


def scorer_for(model: AcceptanceScorer, city_id: str, config: DispatchConfig) -> AcceptanceScorer:
    """Return what scores a snapshot of `city_id` under `config`.

    Raises
    ------
    InvalidInputError
        `caution` is asked for and the model has no intervals.
    """
    here = model.of_city(city_id) if isinstance(model, PerCity) else model
    if config.caution == 0.0:
        return here
    if not isinstance(here, WithIntervals):
        message = "asks for intervals, which this model does not have; train one or set it to 0"
        raise InvalidInputError("configuration", [Problem("caution", message)])
    return Cautious(here, config.caution)
