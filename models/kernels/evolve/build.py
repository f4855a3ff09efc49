"""Candidates compiled with the compiler and the flags of the package's own build."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from models.kernels.evolve.genome import Genome
from models.kernels.evolve.render import KERNELS, RenderError, render_c
from models.kernels.library import variants

GUARD: Final = Path(__file__).with_name("guard.c")
_WRAPPED: Final = ("malloc", "calloc", "aligned_alloc", "free")
_LIMIT_S: Final = 120.0


class BuildError(Exception):
    """The candidate does not compile, or does not end compiling."""


class Builder:
    """Compiles genomes into a folder; what is there already is not compiled again.

    Parameters
    ----------
    folder
        Where libraries are kept, named by what they were made from.
    change
        Edits sources first, if given: a fault is seeded where a real one would stand.
    flags
        Added to those of the package's own build.

    Raises
    ------
    RenderError
        If there is no compiler, or this is no checkout.
    """

    def __init__(
        self, folder: Path, change: Callable[[str], str] = str, flags: Sequence[str] = ()
    ) -> None:
        hatch = _hatch_build()
        command = hatch.compiler()
        if command is None:
            raise RenderError("no C compiler found; set CC or install gcc or clang")
        best = variants()[-1] if variants() else "portable"
        own = {"avx512": hatch.AVX512, "avx2": hatch.AVX2}.get(best, ())
        self._command = [*command, *hatch.FLAGS, *own, *flags]
        self._folder, self._change = folder, change
        self.description = f"{_version(tuple(command))}; {' '.join((*hatch.FLAGS, *own, *flags))}"
        folder.mkdir(parents=True, exist_ok=True)

    def timed(self, genome: Genome) -> Path:
        """Compile what is timed.

        Raises
        ------
        RenderError, BuildError
            If the genome cannot be rendered, or not compiled.
        """
        return self._linked(self._object(genome, ()), ())

    def guarded(self, genome: Genome) -> Path:
        """Link the same object to memory that ends at a guard page and begins unwritten."""
        if sys.platform != "linux":
            return self.timed(genome)
        wrapped = (f"-Wl,--wrap={name}" for name in _WRAPPED)
        return self._linked(self._object(genome, ()), (str(GUARD), *wrapped))

    def spoiled(self, genome: Genome) -> Path:
        """Compile a variant of which every score is off by 1e-4."""
        return self._linked(self._object(genome, ("-O1", "-DSPOILED")), ())

    def _object(self, genome: Genome, more: tuple[str, ...]) -> Path:
        source = self._change(render_c(genome, nonce_of(genome)))
        target = self._path(source, *self._command, *more).with_suffix(".o")
        if not target.exists():
            text = target.with_suffix(".c")
            text.write_text(source)
            self._run([*self._command, *more, "-c", str(text)], target)
        return target

    def _linked(self, made: Path, more: tuple[str, ...]) -> Path:
        guard = GUARD.read_text() if str(GUARD) in more else ""
        target = self._path(made.name, guard, *more).with_suffix(".so")
        if not target.exists():
            self._run([*self._command, "-shared", str(made), *more, "-lm"], target)
        return target

    def _path(self, *parts: str) -> Path:
        return self._folder / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]

    def _run(self, command: list[str], target: Path) -> None:
        staged = target.with_suffix(".part")
        try:
            done = subprocess.run(
                [*command, "-o", str(staged)],
                capture_output=True, text=True, check=False, timeout=_LIMIT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BuildError(f"not compiled within {_LIMIT_S:.0f} s") from None
        if done.returncode:
            raise BuildError(done.stderr.strip()[:1000])
        staged.replace(target)


def nonce_of(genome: Genome) -> int:
    """Return what this candidate alone adds for each row: odd, 63 bits."""
    return int.from_bytes(hashlib.sha256(genome.digest.encode()).digest()[:8], "little") >> 1 | 1


@cache
def _hatch_build() -> ModuleType:
    path = KERNELS.parents[1] / "hatch_build.py"
    spec = importlib.util.spec_from_file_location("hatch_build", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise RenderError(f"{path} is missing: evolution needs a checkout, not an installed wheel")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _version(command: tuple[str, ...]) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else command[0]
