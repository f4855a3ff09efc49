"""Compile the forest kernels when the package is built; without a compiler, do without.

Hatchling runs the hook for wheels and editable installs; `python hatch_build.py` does the same in a
checkout.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script where hatchling is not installed
    BuildHookInterface = object

KERNELS = Path("models", "kernels")
LIBRARY = KERNELS / ("_forest.dylib" if sys.platform == "darwin" else "_forest.so")
FLAGS = ("-O3", "-std=c11", "-fPIC", "-ffp-contract=off", "-fvisibility=default", "-Wno-psabi")
AVX2 = ("-mavx2",)
AVX512 = (*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
SOURCES = {
    "forest": (),
    "forest_told": (),
    "forest_portable": (),
    "forest_avx2": AVX2,
    "forest_avx512": AVX512,
}


def compiler() -> list[str] | None:
    """Command of the C compiler: CC where set, else the first of cc, gcc and clang."""
    if chosen := shlex.split(os.environ.get("CC", "")):
        return chosen if shutil.which(chosen[0]) else None
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def build(root: Path) -> Path | None:
    """Compile the library into the package under `root`; None, and no file, where that fails."""
    target, command = root / LIBRARY, compiler()
    if command is None or os.name != "posix" or not _compiled(command, root, target):
        target.unlink(missing_ok=True)
        return None
    return target


def _compiled(command: list[str], root: Path, target: Path) -> bool:
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    sources = {name: flags for name, flags in SOURCES.items() if x86 or not flags}
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        made = Path(folder, target.name)
        for name, flags in sources.items():
            objects.append(str(Path(folder, f"{name}.o")))
            source = str(root / KERNELS / f"{name}.c")
            if not _run([*command, *FLAGS, *flags, "-c", source, "-o", objects[-1]]):
                return False
        if not _run([*command, "-shared", *objects, "-o", str(made), "-lm"]):
            return False
        # Renamed into place: whoever has the old one loaded keeps it.
        staged = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(made, staged)
        staged.replace(target)
    return True


def _run(command: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"kernels not compiled: {' '.join(command)}\n{done.stderr}")
    return done.returncode == 0


class ForestKernels(BuildHookInterface):  # type: ignore[misc]
    """Hatchling's hook: the library goes into the wheel, which then is for this platform only."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files are collected."""
        if self.target_name != "wheel":
            return
        found = build(Path(self.root))
        if found is None:
            return
        build_data["artifacts"].append(f"/{LIBRARY.as_posix()}")
        if version == "standard":
            build_data["pure_python"] = False
            tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            # ctypes loads it, so any Python will do.
            build_data["tag"] = f"py3-none-{tag}"


if __name__ == "__main__":
    built = build(Path(__file__).parent)
    sys.stdout.write(f"{built or 'no kernels: the numba backend is used'}\n")
