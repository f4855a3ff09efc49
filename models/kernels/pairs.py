"""Rows that share features: what a courier or order excludes is worked out once for all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

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
        self._forest = forest
        self._runner = runner
        self._rows_at_once = rows_at_once
        self._shared = [list(features) for features in shared]
        self._n_features = max([forest.splits.least_features - 1, *brought]) + 1
        self._own = runner.load(forest.splits_on(brought, inside=False))
        self._theirs = [runner.load(forest.splits_on(each, inside=True)) for each in shared]

    def score(self, matrix: FloatArray, entities: Sequence[Entity] = ()) -> FloatArray:
        """Raw log-odds of shape (n,) for rows (n, f); shared columns of the matrix are not read.

        Raises
        ------
        ValueError
            Naming every misfit of matrix and entities.
        """
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        problems = list(self._problems(matrix, entities))
        if problems:
            raise ValueError("; ".join(problems))
        if not len(matrix):
            return np.empty(0)
        masks = [
            self._runner.masks(loaded, self._widened(entity, features))
            for entity, features, loaded in zip(entities, self._shared, self._theirs, strict=True)
        ]
        step = self._rows_at_once
        parts = [
            self._runner.sums(
                self._own,
                matrix[start : start + step],
                [
                    (mask, entity.row[start : start + step])
                    for mask, entity in zip(masks, entities, strict=True)
                ],
            )
            for start in range(0, len(matrix), step)
        ]
        return self._forest.score(np.concatenate(parts))

    def _widened(self, entity: Entity, features: list[int]) -> FloatArray:
        matrix = np.zeros((len(entity.matrix), self._n_features))
        matrix[:, features] = entity.matrix
        return matrix

    def _problems(self, matrix: FloatArray, entities: Sequence[Entity]) -> list[str]:
        if matrix.ndim != 2 or matrix.shape[1] < self._n_features:
            return [f"expected rows of {self._n_features} features or more, got {matrix.shape}"]
        if len(entities) != len(self._shared):
            return [f"expected {len(self._shared)} kinds of entity, got {len(entities)}"]
        problems = []
        for k, (entity, features) in enumerate(zip(entities, self._shared, strict=True)):
            n = len(entity.matrix)
            if entity.matrix.shape != (n, len(features)):
                problems.append(
                    f"entity {k}: expected {len(features)} columns, got {entity.matrix.shape}"
                )
            if len(entity.row) != len(matrix):
                problems.append(f"entity {k}: {len(entity.row)} rows for {len(matrix)} scored")
            outside = np.flatnonzero((entity.row < 0) | (entity.row >= n))
            if len(outside):
                problems.append(f"entity {k}: rows {outside[:5].tolist()} name none of {n}")
        return problems
