"""Compares every answer with what the OpenAPI document says about its operation."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

Operations = dict[tuple[str, str], dict[str, Any]]
_known: dict[tuple[str, ...], Operations] = {}


class Documented:
    """The application; a test fails if an operation is answered with a status that it does not document."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and check its answer."""
        answered: list[int] = []

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.append(message["status"])
            await send(message)

        await self._app(scope, receive, noted)
        route = scope.get("route")
        if isinstance(route, APIRoute) and route.include_in_schema and scope["method"] in (route.methods or ()):
            said = operations_of(self._app)[scope["method"], route.path_format]["responses"]
            status = answered[0]
            wanted = f"responses=problems({status})" if status >= 400 else f"status_code={status}"
            assert str(status) in said, (
                f"{scope['method']} {route.path_format} answered {status}, which its documentation does not have: "
                f"give the route `{wanted}`, or let the handler answer another status, as self.no_content() does."
            )


def operations_of(app: FastAPI) -> Operations:
    """(method, path) -> the operation. Applications with the same routes have the same document, which is made once."""
    paths = tuple(route.path for route in app.routes if isinstance(route, APIRoute))
    if paths not in _known:
        document = app.openapi()["paths"]
        found = {(method.upper(), path): one for path, item in document.items() for method, one in item.items()}
        _known[paths] = found
    return _known[paths]
