"""POST /assign: a snapshot in, a plan out."""

from fastapi import APIRouter, Request, Response

from api.body import prefixed
from api.deps import ServiceDep
from api.examples import ASSIGN_EXAMPLES
from api.openapi import answers, json_body
from api.routes.decide import answer
from api.schemas import ASSIGN_OPTIONS, AssignOptions
from dispatch.errors import InvalidInputError
from dispatch.pipeline import Dispatcher
from dispatch.snapshot import Intake
from optimization import Deadline

router = APIRouter(tags=["decide"])


@router.post(
    "/assign",
    summary="Decide one snapshot",
    responses=answers("Plan", "The plan; it has passed both checks."),
    openapi_extra=json_body("AssignRequest", ASSIGN_EXAMPLES),
)
async def assign(request: Request, service: ServiceDep) -> Response:
    """Decide who is offered which order, and in which stop sequence."""
    return await answer(request, service, ASSIGN_OPTIONS, _assign)


def _assign(
    dispatcher: Dispatcher, intake: Intake, options: AssignOptions, deadline: Deadline
) -> str:
    try:
        plan = dispatcher.assign(
            intake,
            deadline=deadline,
            operating_point=options.operating_point,
            include_frontier=options.include_frontier,
            fairness=options.fairness,
            method=options.frontier_method,
        )
    except InvalidInputError as error:
        # the snapshot was found sound when it was read: what is refused now is an option
        raise type(error)("request", prefixed("options", error.problems)) from None
    return plan.to_json()
