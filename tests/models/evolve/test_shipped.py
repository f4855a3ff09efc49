"""What is shipped for AVX-512 is what the search found; defaults are the hand-written kernel."""

from __future__ import annotations

import re

from models.kernels.evolve.genome import SHIPPED, Genome
from models.kernels.evolve.render import KERNELS, parameters

DEFINED = re.compile(r"^#define (\w+) (\w+)", re.MULTILINE)


def test_the_kernel_for_avx512_is_the_shipped_genome_written_out() -> None:
    defined = dict(DEFINED.findall((KERNELS / "forest_avx512.c").read_text()))
    assert defined.pop("ISA") == "avx512"
    hand_written, shipped = parameters(Genome()), parameters(SHIPPED)
    changed = {name: value for name, value in shipped.items() if value != hand_written[name]}
    assert defined == changed


def test_without_a_search_the_parameters_are_the_hand_written_kernels() -> None:
    header = (KERNELS / "forest_params.h").read_text()
    defaults = dict(re.findall(r"^#ifndef (\w+)\n#define \1 (\w+)", header, re.MULTILINE))
    names = {"FLOAT64": "0", "BY_WALK": "1"}
    for name, value in parameters(Genome()).items():
        assert names.get(defaults[name], defaults[name]) == names.get(value, value), name
