"""Errors of the models room: every problem of an input at once, each with its fix."""

from __future__ import annotations

from collections.abc import Sequence


class ModelError(ValueError):
    """What is wrong, as one headline and one line per problem."""

    def __init__(self, headline: str, problems: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  - ".join((headline, *self.problems)))


class FeatureError(ModelError):
    """Columns, a schema or an offers log do not fit the feature contract."""


class TrainingError(ModelError):
    """An offers log is sound but too small or too one-sided to learn from."""


class ArtefactError(ModelError):
    """A saved model cannot be written where asked, or does not match its manifest."""


class NotFittedError(ModelError):
    """A model was asked for something that an earlier step must provide first."""
