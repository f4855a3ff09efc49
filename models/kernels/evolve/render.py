"""Genomes as source: parameters before the shipped kernel, with its free block changed if asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from models.kernels.evolve.genome import Genome

KERNELS: Final = Path(__file__).parents[1]
BEGINS, ENDS = "free block: begins", "free block: ends"
FREE_FILE: Final = "forest_planes.h"
"""The file of the C kernel that has the free block."""

# State, the preprocessor, other languages, and the names by which a candidate proves that it ran:
# with any of these a block could answer from memory, or for somebody else.
_FORBIDDEN: Final = ("#", "static", "extern", "asm", "goto", "RAN", "SCORE", "ran", "_Pragma", "\\")
_WORD: Final = re.compile(r"[A-Za-z_]\w*|[#\\]")
_CALLED: Final = re.compile(r"([A-Za-z_]\w*)\s*\(")
_CALLABLE: Final = re.compile(
    r"(for|if|while|switch|sizeof|return|AT|UNROLLED|multiplex|merge|either"
    r"|float|double|u?int(8|16|32|64)_t|min|max|_mm\w+|__builtin_\w+|simd_\w+)"
)
"""What a free block may call: what computes, and nothing that reaches out of the process."""

_FEW: Final = {"": "0", "walk": "BY_WALK", "masks": "BY_MASKS"}
_LEAF: Final = {"float64": "FLOAT64", "float32": "FLOAT32", "int32": "INT32"}
_EVERY_ROW: Final = 1 << 62


class RenderError(ValueError):
    """The genome cannot be written out."""


def parameters(genome: Genome) -> dict[str, str]:
    """Values of the names of forest_params.h.

    Raises
    ------
    RenderError
        Naming every problem of the genome.
    """
    if problems := genome.problems():
        raise RenderError("; ".join(problems))
    planes = "planes" in genome.algorithm
    compared = (genome.narrow_rows or genome.block_rows) if genome.compare == "bytes" else 0
    values = {
        "WIDE": genome.block_rows,
        "NARROW": genome.narrow_rows,
        "NARROW_ROWS": genome.narrow_up_to,
        "FEW": _FEW[genome.few],
        "FEW_ROWS": f"{genome.few_up_to if planes else _EVERY_ROW}",
        "FEW_PAIRS": int(genome.few_pairs or not planes),
        "MASK_ROWS": genome.rows_at_once,
        "BYTES_ROWS": compared,
        "TREES_AT_ONCE": genome.trees_at_once,
        "UNROLL": genome.unroll,
        "PREFETCH": int(genome.prefetch),
        "LEAF": _LEAF[genome.leaf_type],
        "LEAF_WORDS": int(genome.leaf_layout == "words"),
        "GRID": int(genome.threshold_type == "float32"),
        "RUNS": int(genome.entities == "runs"),
        "CLEARED": int(genome.scratch == "cleared"),
    }
    return {name: str(value) for name, value in values.items()}


def render_c(genome: Genome, nonce: int) -> str:
    """Source of a candidate: one file that exports `forest_rows_candidate`, `_pairs_`, `_codes_`.

    It also exports `forest_ran`, to which the code that scores adds `nonce` for each row. With
    `SPOILED` defined, every score is off: a check that passes this as well has checked nothing.

    Raises
    ------
    RenderError
        If the genome, or its free block, is not valid.
    """
    defined = "".join(f"#define {k} {v}\n" for k, v in parameters(genome).items())
    return (
        f"/* {genome.digest} */\n{defined}"
        "#include <stdint.h>\n"
        "uint64_t forest_ran;\n"
        f"#define RAN(rows) (forest_ran += UINT64_C({nonce}) * (uint64_t)(rows))\n"
        "#ifdef SPOILED\n#define SCORE(score) ((score) + 1e-4)\n#endif\n"
        "#define ISA candidate\n" + _inlined("forest_body.h", genome.free)
    )


def with_free_block(source: str, free: str) -> str:
    """Put `free` between the marks of the source's free block; empty leaves the source alone.

    Raises
    ------
    RenderError
        If the block does more than compute, or the source has no free block.
    """
    if not free.strip():
        return source
    words = set(_WORD.findall(free))
    if used := [word for word in _FORBIDDEN if word in words]:
        raise RenderError(f"free block: {', '.join(used)} may not be used there")
    if called := [name for name in _CALLED.findall(free) if not _CALLABLE.fullmatch(name)]:
        raise RenderError(f"free block: {', '.join(sorted(set(called))[:5])} may not be called")
    if BEGINS in free or ENDS in free:
        raise RenderError("free block: the marks themselves do not belong in it")
    lines = source.splitlines(keepends=True)
    marks = [i for i, line in enumerate(lines) if BEGINS in line or ENDS in line]
    if len(marks) != 2:
        raise RenderError("the kernel has no free block")
    first, last = marks
    return "".join((*lines[: first + 1], free.rstrip("\n"), "\n", *lines[last:]))


def free_block() -> str:
    """Return the C kernel's free block as shipped."""
    text = (KERNELS / FREE_FILE).read_text()
    inside = text.split(BEGINS)[1].split(ENDS)[0]
    return inside.partition("\n")[2].rpartition("\n")[0] + "\n"


def _inlined(name: str, free: str) -> str:
    """Text of a kernel header with the project's own headers in place: one file, one hash.

    Raises
    ------
    RenderError
        If the sources are not there: wheels come without them.
    """
    path = KERNELS / name
    if not path.is_file():
        raise RenderError(f"{path} is missing: evolution needs a checkout, not an installed wheel")
    text = path.read_text()
    if name == FREE_FILE:
        text = with_free_block(text, free)
    return re.sub(
        r'^#include "(\w+\.h)"$', lambda found: _inlined(found[1], free), text, flags=re.MULTILINE
    )
