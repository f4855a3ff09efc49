"""The harness, where MLX and g++ are; tests that need it are skipped with the reason elsewhere."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def harness() -> ModuleType:
    """The module harness.py beside this file."""
    pytest.importorskip(
        "mlx.core", reason="needs MLX: pip install 'courier-dispatch[mlx]'", exc_type=ImportError
    )
    if shutil.which("g++") is None:
        pytest.skip("needs g++ to run Metal source on the CPU")
    spec = importlib.util.spec_from_file_location(
        "metal_harness", Path(__file__).with_name("harness.py")
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled kernels are kept for the session."""
    return tmp_path_factory.mktemp("kernels")
