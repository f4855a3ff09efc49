"""What can go wrong, as a tree: every error a caller may want to catch derives from one."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_IDS = 5


class DispatchError(Exception):
    """Base of all errors raised on purpose by this package."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input, wherever it occurs.

    `path` names the field (`orders[*].pickup.location.lat`), `ids` the first five places where
    it is wrong, `count` how many there are. Values are never repeated: they may be locations.
    """

    path: str
    message: str
    ids: tuple[str, ...] = ()
    count: int = 1

    def __str__(self) -> str:
        where = ""
        if self.ids:
            more = f" and {self.count - len(self.ids)} more" if self.count > len(self.ids) else ""
            where = f" ({', '.join(self.ids)}{more})"
        return f"{self.path}: {self.message}{where}"


class InvalidInputError(DispatchError, ValueError):
    """An input that cannot be used; carries every problem found, not the first."""

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        self.what = what
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{what}: {count} problem{'s' if count != 1 else ''}"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


class UnattainableBoundError(InvalidInputError):
    """A bound on an objective that no plan over these candidates can meet."""


class DeadlineError(DispatchError):
    """No plan that keeps what was asked for was found in time."""


class PlanCheckError(DispatchError):
    """A plan that contradicts its snapshot: a fault of ours, never sent out."""
