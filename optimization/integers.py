"""Integer arrays as the room keeps them: copied, checked and read-only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def integers(name: str, values: ArrayLike, dtype: type, faults: list[str]) -> NDArray[np.int64]:
    """Copy values into a read-only one-dimensional integer array, noting what is wrong with them.

    Floats are refused rather than truncated: rounding is a decision of whoever builds the term.
    """
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        faults.append(
            f"{name}: expected a 1-d integer array, got {given.dtype} of shape {given.shape}"
        )
        given = np.zeros(0, dtype)
    elif given.size and (
        int(given.min()) < np.iinfo(dtype).min or int(given.max()) > np.iinfo(dtype).max
    ):
        faults.append(f"{name}: values do not fit {np.dtype(dtype).name}")
        given = np.zeros(0, dtype)
    out: NDArray[np.int64] = np.array(given, dtype=dtype)
    out.setflags(write=False)
    return out
