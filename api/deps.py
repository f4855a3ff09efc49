"""What routes ask for, as annotated aliases."""

from typing import Annotated

from fastapi import Depends, Request

from api.service import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
