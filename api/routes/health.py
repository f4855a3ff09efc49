"""Is it alive, is it ready, and what exactly is running."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter

from api.deps import ServiceDep
from api.openapi import problem_answers
from dispatch.domain import Snapshot
from optimization.solvers import SOLVERS

router = APIRouter(tags=["health"])

_LIBRARIES = ("fastapi", "lightgbm", "numpy", "ortools", "pandas", "pulp", "pydantic", "scipy")


@router.get("/livez", summary="The process answers")
async def livez() -> dict[str, str]:
    """Answer, whatever else is going on."""
    return {"status": "alive"}


@router.get("/readyz", summary="Snapshots can be decided", responses=problem_answers(503))
async def readyz(service: ServiceDep) -> dict[str, str]:
    """Answer 503 with the reason while there is no usable model."""
    return {"status": "ready", "model_version": service.dispatcher.model.version}


@router.get("/version", summary="What is running")
async def versions(service: ServiceDep) -> dict[str, Any]:
    """Name the versions of package, schema, model, solver engines and libraries."""
    ready = service.loaded
    return {
        "package": _installed("courier-dispatch"),
        "snapshot_schema": Snapshot.__dataclass_fields__["schema_version"].default,
        "model": None if ready is None else ready.model.version,
        "fault": service.fault,
        "configuration": None if ready is None else ready.config.sha256,
        "solver_engines": [solver.name for solver in SOLVERS.values()],
        "python": platform.python_version(),
        "libraries": {name: _installed(name) for name in _LIBRARIES},
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
