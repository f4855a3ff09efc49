"""Histories from a log, as they were known when each offer was made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def past_counts(
    groups: NDArray[np.int64],
    offered_at_s: FloatArray,
    accepted: NDArray[np.bool_],
    *,
    answer_s: float,
    window_s: float = np.inf,
    half_life_s: float = np.inf,
) -> tuple[FloatArray, FloatArray]:
    """Count earlier offers and acceptances of each row's courier or merchant, two arrays (n,).

    Earlier means made at least `answer_s` before (so that the answer was there: give the time an
    offer lives) and less than `window_s` before. With a half-life an offer of age a counts
    0.5 ** (a / half_life_s), so that the counts follow a courier who changes. Nothing at or after
    the row's own time plays a part.

    Serving must count in the same way: whoever trains on decayed counts supplies decayed counts.

    Raises
    ------
    ValueError
        If `answer_s` is not positive (a row would count itself), or `window_s` or `half_life_s`
        does not exceed it.
    """
    if not (answer_s > 0.0 and window_s > answer_s and half_life_s > 0.0):
        raise ValueError(
            "expected answer_s > 0, window_s > answer_s and half_life_s > 0, got "
            f"{answer_s}, {window_s}, {half_life_s}"
        )
    if not len(groups):
        return np.empty(0), np.empty(0)
    _, group = np.unique(groups, return_inverse=True)
    order = np.lexsort((offered_at_s, group))
    group, at_s = group[order], offered_at_s[order] - offered_at_s.min()
    # Groups one after the other on one time axis, too far apart for windows to reach across.
    span = float(at_s.max()) + 1.0
    axis = group * (2.0 * span) + at_s
    start = np.searchsorted(group, group)
    until = np.searchsorted(axis, axis - answer_s, side="right")
    since = np.searchsorted(axis, axis - min(window_s, span), side="right")
    since = np.maximum(since, start)
    until = np.maximum(until, since)
    # Decay relative to each group's first offer: powers stay small where one exponent for all
    # would overflow.
    age = (at_s - at_s[start]) / half_life_s
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    counts = np.empty((2, len(group)))
    for place, told in enumerate((np.ones(len(group)), accepted[order].astype(np.float64))):
        total = _running(told * np.exp2(age), starts)
        below = [np.where(k > start, total[k - 1], 0.0) for k in (until, since)]
        counts[place, order] = np.maximum((below[0] - below[1]) * np.exp2(-age), 0.0)
    return counts[0], np.minimum(counts[1], counts[0])


def _running(values: FloatArray, starts: NDArray[np.intp]) -> FloatArray:
    """Cumulative sums that begin anew at each start.

    Summed group by group: in one sum over all, the rounding of a row would depend on rows of
    others, later ones included.
    """
    return np.concatenate([np.cumsum(part) for part in np.split(values, starts[1:])])
