"""The forest for devices, in integers up to the sums, so that every device gives the same bits.

`codes` ranks values among the model's cuts, `masks` removes leaves that an entity cannot reach in
any of its pairs, `scores` removes the rest and adds up. No float is compared or added: Metal has no
float64, and integer sums do not depend on an order or on what a compiler contracts. A sum is handed
out as it is, or as a calibrated probability (`models.kernels.ending`), the only floats there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Final

import numpy as np

from models.forest import ZERO
from models.kernels.ending import HIGHEST, LOWEST
from models.kernels.masks import ordered

TARGETS: Final[Mapping[str, Mapping[str, str]]] = {
    "metal": {
        "index": "thread_position_in_grid.x",
        "ctz": "metal::ctz(bits)",
        "exp": "metal::precise::exp",
        "log": "metal::precise::log",
    },
    "cuda": {
        "index": "blockIdx.x * blockDim.x + threadIdx.x",
        # ctz of 0 is never used, so it does not matter that it differs.
        "ctz": "(__ffs(bits) - 1)",
        "exp": "expf",
        "log": "logf",
    },
}

# One thread a column and row; neighbouring threads read neighbouring rows of one column.
_CODES: Final = """
    uint32_t at = $index;
    uint32_t n = keys_shape[0];
    if (at >= n * uint32_t(columns_shape[0])) return;
    uint32_t column = 5 * (at / n);
    uint64_t key = keys[(at % n) * uint32_t(keys_shape[1]) + columns[column]];
    uint32_t first = columns[column + 1];
    uint32_t count = columns[column + 2];
    uint32_t code = 0;
    for (uint32_t step = STEP; step > 0; step >>= 1) {
        uint32_t next = code + step;
        code = next <= count && cuts[first + next - 1] < key ? next : code;
    }
    bool zero = key >= uint64_t($zero_low) && key <= uint64_t($zero_high);
    bool unknown = key < uint64_t($lowest) || key > uint64_t($highest);
    code = zero ? columns[column + 4] : code;
    codes[at] = CODE(unknown ? columns[column + 3] : code);
"""

# A split's leaves go where its code lies in [low, low + span): unsigned, so one comparison.
_SPLITS: Final = """
        // free block: begins
        for (uint32_t k = first[word]; k < first[word + 1]; ++k) {
            uint32_t code = codes[splits[4 * k] * n + row];
            bits &= code - splits[4 * k + 1] < splits[4 * k + 2] ? splits[4 * k + 3] : 0xFFFFFFFFu;
        }
        // free block: ends"""

_MASKS: Final = (
    """
    uint32_t at = $index;
    uint32_t n = codes_shape[1];
    uint32_t words = first_shape[0] - 1;
    if (at >= n * words) return;
    uint32_t row = at / words;
    uint32_t word = at % words;
    uint32_t bits = 0xFFFFFFFFu;
    {"""
    + _SPLITS
    + """
    }
    masks[at] = bits;
"""
)

# The lowest leaf left is the one reached; words are gone through downwards, so the lowest is kept.
_SCORES: Final = (
    """
    uint32_t row = $index;
    uint32_t n = codes_shape[1];
    if (row >= n) return;
    uint32_t words = first_shape[0] - 1;
    int64_t sum = 0;
    for (uint32_t tree = 0; tree < words / WORDS; ++tree) {
        uint32_t place = 0;
        for (uint32_t w = WORDS; w > 0; --w) {
            uint32_t word = tree * WORDS + w - 1;
            uint32_t bits = 0xFFFFFFFFu;$entities"""
    + _SPLITS
    + """
            place = bits != 0 ? word * 32 + $ctz : place;
        }
        sum += values[place];
    }"""
)

# Exponentials of what is not positive: none of them overflows, in whatever arithmetic.
_ENDS: Final[Mapping[str, str]] = {
    "beta": """
    float score = float(sum) * curve[0];
    float small = $log(1.0f + $exp(score < 0.0f ? score : -score));
    float odds = curve[score < 0.0f ? 1 : 2] * score + (curve[2] - curve[1]) * small + curve[3];
    float less = $exp(odds < 0.0f ? odds : -odds);
    float chance = (odds < 0.0f ? less : 1.0f) / (1.0f + less);""",
    "knots": """
    uint32_t at = 0;
    for (uint32_t step = STEP; step > 0; step >>= 1) {
        uint32_t next = at + step;
        at = next < uint32_t(knots_shape[0]) && knots[next] <= sum ? next : at;
    }
    float chance = heights[at] + slopes[at] * float(sum - knots[at]);""",
}

_WITHIN: Final = """
    chance = chance < $lowest ? $lowest : chance;
    scores[row] = chance > $highest ? $highest : chance;
"""

_ENTITY: Final = "\n            bits &= masks_$number[rows_$number[row] * words + word];"


def render_codes(target: str) -> str:
    """Kernel body: keys (n, f), columns (c, 5), cuts -> codes (c, n)."""
    keys = ordered(np.array([-np.inf, -ZERO, ZERO, np.inf])).tolist()
    names = ("lowest", "zero_low", "zero_high", "highest")
    limits = dict(zip(names, map(hex, keys), strict=True))
    return Template(_CODES).substitute({**TARGETS[target], **limits})


def render_masks(target: str) -> str:
    """Kernel body: codes (c, n), first (w + 1), splits (s, 4) -> masks (n, w)."""
    return Template(_MASKS).substitute(TARGETS[target])


def render_scores(target: str, n_entities: int, form: str | None = None) -> str:
    """Kernel body: as `masks`, values (32 w), rows (n) and masks of each entity -> scores (n).

    Sums, or probabilities where the form of an `Ending` is named, whose arrays come in too.
    """
    entities = "".join(Template(_ENTITY).substitute(number=k) for k in range(n_entities))
    end = "\n    scores[row] = sum;\n" if form is None else _ENDS[form] + _WITHIN
    within = {"lowest": f"{LOWEST:.9e}f", "highest": f"{HIGHEST:.9e}f"}
    return Template(_SCORES + end).substitute(TARGETS[target], entities=entities, **within)
