"""POST /frontier: a snapshot in, its efficiency-fairness frontier out."""

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from api.deps import ServiceDep
from api.examples import FRONTIER_EXAMPLES
from api.openapi import answers, json_body
from api.routes.decide import answer
from api.schemas import FRONTIER_OPTIONS, FrontierOptions
from dispatch.pipeline import Dispatcher
from dispatch.snapshot import Intake
from dispatch.tradeoff import FrontierReport
from optimization import Deadline

router = APIRouter(tags=["decide"])
_REPORT = TypeAdapter(FrontierReport)


@router.post(
    "/frontier",
    summary="Trace the trade-off of one snapshot",
    responses=answers(
        "FrontierReport", "The points found; `complete` is false where the deadline cut it short."
    ),
    openapi_extra=json_body("FrontierRequest", FRONTIER_EXAMPLES),
)
async def frontier(request: Request, service: ServiceDep) -> Response:
    """Trace the plans from the most efficient to the fairest."""
    return await answer(request, service, FRONTIER_OPTIONS, _frontier)


def _frontier(
    dispatcher: Dispatcher, intake: Intake, options: FrontierOptions, deadline: Deadline
) -> bytes:
    report = dispatcher.frontier(
        intake,
        points=options.points,
        method=options.method,
        fairness=options.fairness,
        deadline=deadline,
    )
    return _REPORT.dump_json(report)
