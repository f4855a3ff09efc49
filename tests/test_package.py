"""What is shipped: four typed packages, one command, and a command line that answers at once."""

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
    assert shipped - modules == {f"{package}/py.typed" for package in PACKAGES}


def test_the_command_and_the_metadata_are_there(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert "dispatch = dispatch.cli:main" in wheel.read(_info(wheel, "entry_points.txt")).decode()
    assert metadata["Name"] == "courier-dispatch"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "dev", "mlx", "notebooks", "postgres", "roads"
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
