"""What is shipped: four typed packages, one command, and a command line that answers at once."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"dispatch", "models", "optimization", "api"}
HEAVY = {"numpy", "pandas", "scipy", "sklearn", "ortools", "pulp", "lightgbm", "shap",
         "matplotlib", "fastapi", "pydantic"}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the checkout without the network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(out.glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(_info(wheel, "METADATA")))


def _info(wheel: zipfile.ZipFile, name: str) -> str:
    return next(entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}"))


def test_the_wheel_brings_exactly_the_four_packages(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == PACKAGES


def test_the_wheel_holds_every_module_and_nothing_but_code(wheel: zipfile.ZipFile) -> None:
    shipped = {n for n in wheel.namelist() if ".dist-info/" not in n}
    modules = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
    }
    assert modules == {name for name in shipped if name.endswith(".py")}
    rest = shipped - modules - {f"{package}/py.typed" for package in PACKAGES}
    assert rest <= {"models/kernels/_forest.so", "models/kernels/_forest.dylib"}
    tag = _info(wheel, "WHEEL")
    assert ("py3-none-any" in wheel.read(tag).decode()) == (not rest)


def test_a_wheel_built_without_a_compiler_is_pure_and_scores(tmp_path: Path) -> None:
    """It is installed nowhere: unpacked, put first on the path and asked for scores."""
    source = tmp_path / "source"
    left = shutil.ignore_patterns(".*", "var", "dist", "build", "__pycache__", "_forest.*")
    shutil.copytree(ROOT, source, ignore=left)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    environment = {**os.environ, "CC": str(tmp_path / "no-compiler")}
    done = subprocess.run(
        [*map(str, command), str(source)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = next(tmp_path.glob("*.whl"))
    assert made.name.endswith("py3-none-any.whl")
    zipfile.ZipFile(made).extractall(tmp_path / "installed")
    code = """
import lightgbm, numpy, models
from models.forest import Forest
from models.scoring import active_kernel, get_backend
rng = numpy.random.default_rng(0)
x = rng.normal(size=(600, 3))
booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(x, x[:, 0] > 0))
class Trees:
    forest, threads = Forest.from_lightgbm(booster.model_to_string()), 1
same = get_backend(None, Trees()).score(x) == booster.predict(x, raw_score=True)
print(models.__file__, active_kernel(), same.all())
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    file, kernel, same = done.stdout.split()
    assert Path(file).is_relative_to(tmp_path / "installed")
    assert (kernel, same) == ("numba", "True")


def test_the_command_and_the_metadata_are_there(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert "dispatch = dispatch.cli:main" in wheel.read(_info(wheel, "entry_points.txt")).decode()
    assert metadata["Name"] == "courier-dispatch"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "dev", "evolve", "mlx", "notebooks", "peers", "postgres", "roads"
    }  # fmt: skip
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_help_answers_in_well_under_two_seconds() -> None:
    """Best of three, because the machine may be busy with other tests."""
    command = [str(Path(sys.executable).parent / "dispatch"), "--help"]
    taken_s = []
    for _ in range(3):
        started_s = time.perf_counter()
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        taken_s.append(time.perf_counter() - started_s)
    assert "Exit codes" in shown
    assert min(taken_s) < 2


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, dispatch.cli; print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
