"""How routes get into the app: as they were declared, and apart from each other."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Route

from app.api.routing import add_routes, keep_apart, routing_problems
from app.dependencies import AnonymousBus, Bus


async def found() -> str:
    return "the real one"


Found = Annotated[str, Depends(found)]


async def count(request: Request, response: Response) -> None:
    response.headers["X-Counted"] = request.url.path


router = APIRouter(prefix="/things", tags=["things"], dependencies=[Depends(count)])


@router.post("/{thing}", status_code=202, openapi_extra={"parameters": [{"name": "X-Own", "in": "header"}]})
async def change(thing: int, bus: Bus) -> int:
    return thing


@router.get("")
async def read(bus: Bus) -> None: ...


@router.get("/found")
async def read_what_is_found(what: Found) -> str:
    return what


@router.post("/by-anybody/of-them")
async def change_anonymously(bus: AnonymousBus) -> None: ...


@router.post("/without/bus", responses={409: {"description": "Taken."}}, deprecated=True)
async def change_without_bus() -> None: ...


@router.get("/fixed/path")
async def read_path(request: Request) -> Any:
    return [request.path_params, request.scope["endpoint"].__name__, request.scope["route"].path]


@router.get("/with/{what}")
async def read_parameter(request: Request) -> Any:
    return [request.path_params, request.scope["endpoint"].__name__, request.scope["route"].path]


router.routes.append(Route("/plain", lambda request: Response("plain")))


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    add_routes(app, router)
    keep_apart(app.router.routes)
    return app


def test_a_route_stays_as_it_was_declared(app: FastAPI) -> None:
    routes = {route.path: route for route in app.routes if isinstance(route, APIRoute)}
    changing, plain = routes["/things/{thing}"], routes["/things/without/bus"]
    assert (changing.status_code, changing.openapi_extra) == (202, {"parameters": [{"name": "X-Own", "in": "header"}]})
    assert (plain.responses, plain.deprecated, plain.tags) == ({409: {"description": "Taken."}}, True, ["things"])


async def test_dependencies_of_the_router_and_plain_routes_are_kept(app: FastAPI) -> None:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        without = await client.post("/things/without/bus")
        plain = await client.get("/plain")
    assert without.headers["x-counted"] == "/things/without/bus"
    assert plain.text == "plain"


async def test_tests_may_put_something_in_the_place_of_a_dependency(app: FastAPI) -> None:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        real = (await client.get("/things/found")).json()
        app.dependency_overrides[found] = lambda: "the test's"
        assert (real, (await client.get("/things/found")).json()) == ("the real one", "the test's")


async def test_behind_a_proxy_that_adds_to_the_path_routes_are_found(app: FastAPI) -> None:
    transport = ASGITransport(app, root_path="/shop")
    async with AsyncClient(transport=transport, base_url="http://service") as client:
        answers = [await client.get(f"/shop/things{rest}") for rest in ("/found", "/nowhere/at/all")]
    assert [answer.status_code for answer in answers] == [200, 404]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/fixed/path", [{}, "read_path", "/things/fixed/path"]),
        ("/with/x", [{"what": "x"}, "read_parameter", "/things/with/{what}"]),
        ("/with/{what}", [{"what": "{what}"}, "read_parameter", "/things/with/{what}"]),
    ],
)
async def test_an_endpoint_is_told_how_it_was_found(app: FastAPI, path: str, found: Any) -> None:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        assert (await client.get(f"/things{path}")).json() == found
        assert (await client.get("/things/with/")).status_code == 404


async def test_who_asks_in_another_way_is_told_so(app: FastAPI) -> None:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        answers = [await client.delete(f"/things{rest}") for rest in ("/found", "", "s")]
    assert [answer.status_code for answer in answers] == [405, 405, 404]


async def test_a_path_without_parameters_is_no_parameter_of_another(app: FastAPI) -> None:
    @app.get("/people/{person}")
    async def read_person(person: int) -> int:
        return person

    @app.get("/people/me")
    async def read_me() -> str:
        return "me"

    @app.patch("/people/{person}")
    async def change_person(person: int) -> int:
        return person

    moved, app.router.routes = app.router.routes[-3:], app.router.routes[:-3]
    add_routes(app, APIRouter(routes=moved))
    keep_apart(app.router.routes)
    for root_path in ("", "/shop"):
        transport = ASGITransport(app, root_path=root_path)
        async with AsyncClient(transport=transport, base_url=f"http://service{root_path}/people/") as client:
            assert (await client.get("me")).json() == "me"
            assert (await client.get("7")).json() == (await client.patch("7")).json() == 7
            assert (await client.patch("me")).status_code == 405


def test_two_operations_of_one_name_are_refused() -> None:
    own, other = APIRouter(), APIRouter()
    own.add_api_route("/own", found)
    other.add_api_route("/other", found, methods=["POST"])
    problem = (
        "GET /own and POST /other have the same operation id, found, by which clients call them: give one of the "
        "endpoints another name, or its route an operation_id."
    )
    assert routing_problems([], [own, other]) == [problem]
    other.routes[0].operation_id = "other"  # type: ignore[attr-defined]
    assert routing_problems([], [own, other]) == []


def test_a_route_of_another_class_stays_one() -> None:
    class OwnRoute(APIRoute):
        pass

    own, app = APIRouter(route_class=OwnRoute), FastAPI()
    own.add_api_route("/own", found)
    add_routes(app, own)
    assert type(app.router.routes[-1]) is OwnRoute
