"""Plain endpoints are called directly, and nobody sees a difference to FastAPI's own way."""

import json
from itertools import count
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Form, Header, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.types import Message

from app.api.models import Body, Text
from app.api.quick_route import QuickRoute
from app.api.routing import add_routes

numbers = count()


async def first(request: Request) -> list[str]:
    """Called once a request, although two others depend on it."""
    request.state.called = [*getattr(request.state, "called", ()), "first"]
    return request.state.called  # type: ignore[no-any-return]


async def second(called: Annotated[list[str], Depends(first)], size: int = 3) -> str:
    called.append("second")
    return f"second of {size}"


def blocking() -> str:
    return "in a thread"


class Thing(Body):
    name: Text
    size: int = 1


def said(**values: Any) -> Response:
    return Response(json.dumps(values, default=str), media_type="application/json")


async def read(
    thing_id: UUID,
    called: Annotated[list[str], Depends(first)],
    found: Annotated[str, Depends(second)],
    kind: Annotated[Text | None, Query(alias="type")] = None,
    tags: Annotated[list[str], Query()] = [],  # noqa: B006
) -> Response:
    tags.append("added")
    return said(thing_id=thing_id, called=called, found=found, kind=kind, tags=tags)


async def read_required(needed: int) -> Response:
    return said(needed=needed)


async def read_numbered(number: Annotated[int, Query(default_factory=lambda: next(numbers))]) -> Response:
    return said(number=number)


async def change(thing_id: int, body: Thing, called: Annotated[list[str], Depends(first)]) -> Response:
    return said(thing_id=thing_id, body=body.model_dump(), called=called)


async def change_perhaps(request: Request, body: Thing | None = None) -> Response:
    return said(body=None if body is None else body.model_dump(), raw=(await request.body()).decode())


async def refuse() -> None:
    raise HTTPException(401)


async def change_refused(body: Thing, nobody: Annotated[None, Depends(refuse)]) -> Response:
    return said(body=body.model_dump())


async def read_model() -> Any:
    return [1]


async def read_header(name: Annotated[str, Header()] = "none") -> Response:
    return said(name=name)


async def read_form(name: Annotated[str, Form()]) -> Response:
    return said(name=name)


async def read_embedded(one: Thing, other: Thing) -> Response:
    return said(one=one.name, other=other.name)


async def read_in_thread(found: Annotated[str, Depends(blocking)]) -> Response:
    return said(found=found)


async def work_later(tasks: BackgroundTasks) -> Response:
    return said(tasks=len(tasks.tasks))


PLAIN: dict[str, Any] = {
    "/things/{thing_id}": read,
    "/required": read_required,
    "/numbered": read_numbered,
    "/change/{thing_id}": change,
    "/change": change_perhaps,
    "/change-refused": change_refused,
}
OTHER: dict[str, Any] = {
    "/model": read_model,
    "/header": read_header,
    "/form": read_form,
    "/embedded": read_embedded,
    "/thread": read_in_thread,
    "/later": work_later,
}
ONE = "/things/6f0c1f4e-7c43-4d6e-9d0b-4a4d0d7a4b7a"
JSON = {"content-type": "application/json"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", ONE, {}),
    ("GET", f"{ONE}?type=a&size=4&tags=x&tags=y&unknown=1", {}),
    ("GET", f"{ONE}?size=large", {}),
    ("GET", f"{ONE}?type=%00", {}),
    ("GET", "/things/1", {}),
    ("GET", "/things/1?size=large", {}),
    ("GET", "/required", {}),
    ("GET", "/required?needed=3", {}),
    ("POST", "/change/1", {"json": {"name": "a"}}),
    ("POST", "/change/1", {"json": {"name": "a", "size": "large", "color": 1}}),
    ("POST", "/change/x", {"json": {"name": 1}}),
    ("POST", "/change/1", {"content": b"", "headers": JSON}),
    ("POST", "/change/1", {"content": b"{", "headers": JSON}),
    ("POST", "/change/1", {"content": b"[" * 20_000, "headers": JSON}),
    ("POST", "/change/1", {"content": b'{"name": "\xff"}', "headers": JSON}),
    ("POST", "/change/1", {"content": b'{"name": "a"}'}),
    ("POST", "/change/1", {"content": b'{"name": "a"}', "headers": {"content-type": "application/vnd.a+json"}}),
    ("POST", "/change/1", {"content": b'{"name": "a"}', "headers": {"content-type": "text/plain"}}),
    ("POST", "/change", {}),
    ("POST", "/change", {"json": None}),
    ("POST", "/change", {"json": {"name": "a"}}),
    ("POST", "/change", {"json": []}),
    ("PUT", "/change", {"json": {"name": "a"}}),
    ("POST", "/change-refused", {"json": {"name": 1}}),
    ("POST", "/change-refused", {"content": b"{", "headers": JSON}),
    ("GET", "/model", {}),
    ("GET", "/header", {"headers": {"name": "a"}}),
    ("POST", "/form", {"data": {"name": "a"}}),
    ("POST", "/embedded", {"json": {"one": {"name": "a"}, "other": {"name": "b"}}}),
    ("GET", "/thread", {}),
    ("GET", "/later", {}),
]


class FastApisOwn(APIRoute):
    """Another class, which the service leaves alone."""


def served(route_class: type[APIRoute]) -> FastAPI:
    router, app = APIRouter(route_class=route_class), FastAPI()
    for path, endpoint in (PLAIN | OTHER).items():
        method = "POST" if path.startswith(("/change", "/form", "/embedded")) else "GET"
        router.add_api_route(path, endpoint, methods=[method], response_model=None)
    add_routes(app, router)
    return app


def client(app: FastAPI) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app), base_url="http://service")


def test_plain_endpoints_are_called_directly_and_others_are_not() -> None:
    routes = {route.path: route for route in served(APIRoute).routes if isinstance(route, QuickRoute)}
    assert {path for path, route in routes.items() if route.calls} == set(PLAIN)
    assert set(routes) == set(PLAIN) | set(OTHER)


@pytest.mark.parametrize(("method", "path", "sent"), REQUESTS)
async def test_answers_are_those_of_fastapi(method: str, path: str, sent: dict[str, Any]) -> None:
    async with client(served(APIRoute)) as quick, client(served(FastApisOwn)) as slow:
        ours, theirs = await quick.request(method, path, **sent), await slow.request(method, path, **sent)
    assert (ours.status_code, ours.headers, ours.content) == (theirs.status_code, theirs.headers, theirs.content)


async def test_defaults_are_made_for_each_request() -> None:
    async with client(served(APIRoute)) as quick:
        tags = [(await quick.get(ONE)).json()["tags"] for _ in range(2)]
        made = [(await quick.get("/numbered")).json()["number"] for _ in range(2)]
    assert tags == [["added"], ["added"]]
    assert made[1] == made[0] + 1


async def test_a_dependency_is_called_once_for_all_that_need_it() -> None:
    async with client(served(APIRoute)) as quick:
        assert (await quick.get(ONE)).json()["called"] == ["first", "second"]


async def test_a_caller_that_hangs_up_is_no_bug() -> None:
    sent: list[Message] = []

    async def hang_up() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/change/1",
        "headers": [(b"content-type", b"application/json")],
        "query_string": b"",
    }
    await served(APIRoute)(scope, hang_up, send)
    assert sent[0]["status"] == 400
