"""Around every request: its id, its arrival time, one log line, and no escape for exceptions.

The log holds no body, query or location: routes are named by their template, faults by their
type and stack alone, because an exception's text may quote what was sent.
"""

import json
import logging
import re
import time
import traceback
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import internal_error

_LOG = logging.getLogger("api.access")
_USABLE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class AccessMiddleware:
    """Gives `request.state` a `request_id` and `arrived_s` (monotonic seconds), and logs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived_s = time.monotonic()
        request_id = _request_id(scope)
        scope.setdefault("state", {}).update(request_id=request_id, arrived_s=arrived_s)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            stack = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("request %s: %s\n%s", request_id, type(error).__name__, stack)
            if not status:
                await internal_error(request_id)(scope, receive, send_with_id)
        finally:
            _LOG.info(
                json.dumps(
                    {
                        "method": scope["method"],
                        "route": getattr(scope.get("route"), "path", "-"),
                        "status": status,
                        "ms": round(1000 * (time.monotonic() - arrived_s), 1),
                        "request_id": request_id,
                    }
                )
            )


def _request_id(scope: Scope) -> str:
    """Return the sender's id where it is harmless in logs and headers, else a new one."""
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return sent.decode() if _USABLE_ID.fullmatch(sent) else uuid4().hex
