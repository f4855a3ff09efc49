"""Rows that share features: what a courier or order excludes is worked out once for all pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.kernels.ending import Ending, ending_of
from models.kernels.masks import FloatArray, IntArray, MaskForest, Splits


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """What many rows share: the features of a courier in all its pairs, or of an order.

    Attributes
    ----------
    matrix
        Values of the shared features, one row an entity, shape (m, k).
    row
        The entity of each row scored, shape (n,).
    """

    matrix: FloatArray
    row: IntArray


class Runner(Protocol):
    """Where masks are made and leaves added up."""

    def load(self, splits: Splits) -> Any:
        """Lay splits out as `masks` and `sums` take them."""

    def masks(self, loaded: Any, matrix: FloatArray) -> Any:
        """Leaves that the splits leave to each row of a matrix (m, f), m > 0, as `sums` takes."""

    def sums(
        self, loaded: Any, matrix: FloatArray, shared: Sequence[tuple[Any, IntArray]]
    ) -> IntArray:
        """Return sums of leaf values (n,) for rows (n, f), n > 0, each with its masks' rows."""

    def probabilities(
        self,
        loaded: Any,
        matrix: FloatArray,
        shared: Sequence[tuple[Any, IntArray]],
        ending: Ending,
    ) -> FloatArray:
        """Return what `ending` makes of the sums, (n,)."""


class PairScorer:
    """A forest on a runner, its features told apart once by who brings them.

    Parameters
    ----------
    forest, runner
        What is scored, and where.
    rows_at_once
        Rows of one call of the runner.
    shared
        Features that each entity brings; the others come with the rows.

    Raises
    ------
    ValueError
        If two entities bring the same feature.
    """

    def __init__(
        self,
        forest: MaskForest,
        runner: Runner,
        rows_at_once: int,
        shared: Sequence[Sequence[int]] = (),
    ) -> None:
        brought = [feature for features in shared for feature in features]
        if len(set(brought)) < len(brought):
            twice = sorted({feature for feature in brought if brought.count(feature) > 1})
            raise ValueError(f"features {twice[:5]} are shared by two entities; name each once")
        self.forest = forest
        self.runner = runner
        self.rows_at_once = rows_at_once
        self._shared = [list(features) for features in shared]
        self.n_features = max([forest.splits.least_features - 1, *brought]) + 1
        self.own = runner.load(forest.splits_on(brought, inside=False))
        self._theirs = [runner.load(forest.splits_on(each, inside=True)) for each in shared]

    def score(self, matrix: FloatArray, entities: Sequence[Entity] = ()) -> FloatArray:
        """Raw log-odds of shape (n,) for rows (n, f); shared columns of the matrix are not read.

        Raises
        ------
        ValueError
            Naming every misfit of matrix and entities.
        """
        return self.bind(len(matrix), entities).score(matrix)

    def bind(self, n_rows: int, entities: Sequence[Entity] = ()) -> BoundRows:
        """Work out once what the entities of `n_rows` rows exclude.

        Raises
        ------
        ValueError
            Naming every misfit of rows and entities.
        """
        problems = list(self._problems(n_rows, entities))
        if problems:
            raise ValueError("; ".join(problems))
        masks = [
            (self.runner.masks(loaded, self._widened(entity, features)), entity.row)
            for entity, features, loaded in zip(entities, self._shared, self._theirs, strict=True)
            if n_rows
        ]
        return BoundRows(self, n_rows, masks)

    def _widened(self, entity: Entity, features: list[int]) -> FloatArray:
        matrix = np.zeros((len(entity.matrix), self.n_features))
        matrix[:, features] = entity.matrix
        return matrix

    def _problems(self, n_rows: int, entities: Sequence[Entity]) -> Iterator[str]:
        if len(entities) != len(self._shared):
            yield f"expected {len(self._shared)} kinds of entity, got {len(entities)}"
            return
        for k, (entity, features) in enumerate(zip(entities, self._shared, strict=True)):
            n = len(entity.matrix)
            if entity.matrix.shape != (n, len(features)):
                yield f"entity {k}: expected {len(features)} columns, got {entity.matrix.shape}"
            if len(entity.row) != n_rows:
                yield f"entity {k}: {len(entity.row)} rows for {n_rows} scored"
            outside = np.flatnonzero((entity.row < 0) | (entity.row >= n))
            if len(outside):
                yield f"entity {k}: rows {outside[:5].tolist()} name none of {n}"


class BoundRows:
    """Rows whose entities are settled; their own features come a part at a time.

    Parameters
    ----------
    scorer
        The forest and where it runs.
    n_rows
        Rows in all.
    masks
        What each kind of entity excludes, and the entity of each row.
    """

    def __init__(
        self, scorer: PairScorer, n_rows: int, masks: Sequence[tuple[Any, IntArray]]
    ) -> None:
        self._scorer, self._n_rows, self._masks = scorer, n_rows, masks

    def score(self, matrix: FloatArray, start: int = 0) -> FloatArray:
        """Raw log-odds (m,) of the rows from `start` on, given their own features (m, f).

        Raises
        ------
        ValueError
            If the matrix is no such part of the rows.
        """
        sums = self._each(matrix, start, self._scorer.runner.sums, np.int64)
        return self._scorer.forest.score(sums)

    def probabilities(
        self, matrix: FloatArray, calibration: Calibration, start: int = 0
    ) -> FloatArray:
        """As `score`, calibrated where the sums are made: float32, within 1e-6.

        Raises
        ------
        ValueError
            As in `score`, or if no kernel computes the calibration.
        """
        ending = ending_of(calibration, self._scorer.forest.shift)
        call = partial(self._scorer.runner.probabilities, ending=ending)
        return self._each(matrix, start, call, np.float64)

    def _each(
        self, matrix: FloatArray, start: int, call: Callable[..., NDArray[Any]], dtype: type
    ) -> NDArray[Any]:
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        least = self._scorer.n_features
        if matrix.ndim != 2 or matrix.shape[1] < least:
            raise ValueError(f"expected rows of {least} features or more, got {matrix.shape}")
        if not 0 <= start <= start + len(matrix) <= self._n_rows:
            raise ValueError(
                f"expected rows within {self._n_rows}, got {len(matrix)} from {start} on"
            )
        out: NDArray[Any] = np.empty(len(matrix), dtype=dtype)
        step = self._scorer.rows_at_once
        for at in range(0, len(matrix), step):
            here = slice(at, min(at + step, len(matrix)))
            rows = slice(start + here.start, start + here.stop)
            shared = [(masks, row[rows]) for masks, row in self._masks]
            out[here] = call(self._scorer.own, matrix[here], shared)
        return out
