"""The set scorer: log-odds of an offer from all that its courier carries and is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.attention.network import Attend, Weights, attend_here, attend_in, initial, logits
from models.attention.params import SetParams
from models.attention.sets import OfferSets
from models.attention.tokens import Encoder, Tokens
from models.scoring.mlx import import_mlx

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.intp]
Progress = Callable[[int, int], None]

MOMENTS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class SetScorer:
    """A trained network and how offers are put to it.

    Attributes
    ----------
    params, encoder, weights
        How it was trained, the scale of the features, and what was learned.
    losses
        Log-loss on the rows that told when to stop, after each epoch.
    """

    params: SetParams
    encoder: Encoder
    weights: Weights
    losses: tuple[float, ...] = field(default=())

    def score(
        self, matrix: FloatArray, sets: OfferSets, attend: Attend | None = None
    ) -> FloatArray:
        """Log-odds (n,) of all offers of `sets`, of which `matrix` (n, f) is known.

        `attend` is the attention that runs, by default this machine's kernel.

        Raises
        ------
        ValueError
            If MLX cannot be imported.
        """
        mx = import_mlx()
        weights = {name: mx.array(each) for name, each in self.weights.items()}
        tokens = self.encoder.tokens(matrix, sets)
        return _score(mx, weights, tokens, self.params, attend or attend_here(mx))


def train_set_scorer(
    matrix: FloatArray,
    sets: OfferSets,
    accepted: NDArray[np.bool_],
    base: FloatArray,
    rows: RowArray,
    judges: RowArray,
    params: SetParams,
    progress: Progress | None = None,
) -> SetScorer:
    """Train on `rows`, until `judges` show no gain, what to add to the log-odds `base` (n,).

    What is known of each offer, `matrix` (n, f), the sets and answers (n,) are of the whole log:
    offers outside `rows` are seen beside those in it, their answers are not. At every turn each
    moment is turned round its courier at random, since no compass point should matter. Same input,
    same weights.

    Raises
    ------
    ValueError
        If MLX cannot be imported.
    """
    mx = import_mlx()
    rng = np.random.default_rng(params.seed)
    encoder = Encoder.fit(matrix[rows])
    tokens = encoder.tokens(matrix, sets)
    trainer = _Trainer(mx, params, initial(params, encoder.width, rng))
    attend = attend_here(mx)
    targets = _Targets.of(tokens, rows, accepted, base)
    sign = np.where(accepted[judges], -1.0, 1.0)
    best, kept, losses = np.inf, trainer.weights, list[float]()
    for epoch in range(params.epochs):
        for moments in _batches(rng.permutation(targets.moments), params.batch):
            turn = rng.uniform(0.0, 2.0 * np.pi, len(moments))
            trainer.step(tokens.batch(moments, turn), tokens, targets, moments)
        added = _score(mx, trainer.weights, tokens, params, attend)[judges]
        losses.append(float(np.logaddexp(0.0, sign * (base[judges] + added)).mean()))
        if losses[-1] < best:
            best, kept = losses[-1], trainer.weights
        if progress is not None:
            progress(epoch + 1, params.epochs)
        if len(losses) - int(np.argmin(losses)) > params.patience:
            break
    found = {name: np.asarray(each) for name, each in kept.items()}
    return SetScorer(params, encoder, found, tuple(losses))


@dataclass(frozen=True, slots=True, eq=False)
class _Targets:
    """Of the offers learned from, by moment and place (m, l): weight, answer and base log-odds."""

    moments: NDArray[np.int64]
    counts: NDArray[np.float32]
    sign: NDArray[np.float32]
    base: NDArray[np.float32]

    @classmethod
    def of(
        cls, tokens: Tokens, rows: RowArray, accepted: NDArray[np.bool_], base: FloatArray
    ) -> _Targets:
        shape = len(tokens.offers), int(tokens.offers.max())
        at = tokens.moment[rows], tokens.place[rows]
        counts, sign, own = np.zeros((3, *shape), dtype=np.float32)
        counts[at], sign[at], own[at] = 1.0, np.where(accepted[rows], -1.0, 1.0), base[rows]
        return cls(np.unique(at[0]), counts, sign, own)


class _Trainer:
    """Adam with weight decay (Kingma, Ba 2015; Loshchilov, Hutter 2019) on batches of moments."""

    def __init__(self, mx: ModuleType, params: SetParams, weights: Weights) -> None:
        from mlx import optimizers

        self._mx, self._params = mx, params
        self.weights: Mapping[str, Any] = {name: mx.array(w) for name, w in weights.items()}
        self._adam = optimizers.AdamW(params.learning_rate, weight_decay=params.weight_decay)
        self._gradient = mx.grad(self._loss)

    def step(
        self,
        rows: NDArray[np.float32],
        tokens: Tokens,
        targets: _Targets,
        moments: NDArray[np.int64],
    ) -> None:
        most = int(tokens.offers[moments].max())
        aims = (each[moments, :most] for each in (targets.counts, targets.sign, targets.base))
        gradient = self._gradient(
            self.weights,
            self._mx.array(rows),
            tokens.all[moments],
            *map(self._mx.array, aims),
        )
        self.weights = self._adam.apply_gradients(gradient, self.weights)
        self._mx.eval(self.weights, self._adam.state)

    def _loss(
        self, weights: Any, rows: Any, lengths: NDArray[np.int64], counts: Any, sign: Any, base: Any
    ) -> Any:
        mx = self._mx
        attend = attend_in(mx)
        added = logits(mx, weights, rows, lengths, counts.shape[1], self._params, attend)
        return (mx.logaddexp(0.0, sign * (base + added)) * counts).sum() / counts.sum()


def _score(
    mx: ModuleType, weights: Mapping[str, Any], tokens: Tokens, params: SetParams, attend: Attend
) -> FloatArray:
    found = np.empty((len(tokens.offers), int(tokens.offers.max())))
    for moments in _batches(np.arange(len(tokens.offers)), MOMENTS_AT_ONCE):
        most = int(tokens.offers[moments].max())
        rows = mx.array(tokens.batch(moments))
        scores = logits(mx, weights, rows, tokens.all[moments], most, params, attend)
        found[moments, :most] = np.asarray(scores)
    return found[tokens.moment, tokens.place]


def _batches(moments: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    return (moments[k : k + size] for k in range(0, len(moments), size))
