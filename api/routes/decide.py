"""How both deciding routes treat a request: admit, read, parse, wait for a turn, work."""

from collections.abc import Callable
from functools import partial

from anyio import move_on_after
from fastapi import Request, Response
from pydantic import TypeAdapter

from api.body import Options, parse_body, read_body
from api.errors import DeadlinePassedError
from api.service import Service
from dispatch.pipeline import Dispatcher
from dispatch.snapshot import Intake
from optimization import Deadline

Task = Callable[[Dispatcher, Intake, Options, Deadline], str | bytes]


async def answer(
    request: Request, service: Service, adapter: TypeAdapter[Options], task: Task[Options]
) -> Response:
    """Run a task on the snapshot and options of a request; the deadline counts from arrival."""
    settings, admission = service.settings, service.admission
    dispatcher = service.dispatcher
    with admission.enter():
        # a sender that trickles its body must not hold a place for ever
        with move_on_after(settings.max_deadline_ms / 1000) as arriving:
            body = await read_body(request, settings.max_body_bytes)
        if arriving.cancelled_caught:
            raise DeadlinePassedError("the body did not arrive in time")
        intake, options, deadline_ms = await admission.read(
            partial(
                parse_body, body, adapter, settings.default_deadline_ms, settings.max_deadline_ms
            )
        )
        deadline = Deadline(request.state.arrived_s + deadline_ms / 1000)
        content = await admission.work(
            partial(task, dispatcher, intake, options, deadline), deadline
        )
    return Response(content, media_type="application/json")
