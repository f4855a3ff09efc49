"""The JSON Schemas, for those who check before they send."""

from typing import Any

from fastapi import APIRouter

from dispatch.result import plan_schema
from dispatch.snapshot import json_schema

router = APIRouter(prefix="/schema", tags=["schema"])


@router.get("/snapshot", summary="JSON Schema of a snapshot")
async def snapshot_schema() -> dict[str, Any]:
    """Return the schema that snapshots are held to."""
    return json_schema()


@router.get("/plan", summary="JSON Schema of a plan")
async def schema_of_plan() -> dict[str, Any]:
    """Return the schema of what /assign answers."""
    return plan_schema()
