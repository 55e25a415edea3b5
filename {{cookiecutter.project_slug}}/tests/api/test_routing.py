"""How routes get into the app: as they were declared, and documented."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Route

from app.api.routing import add_routes
from app.dependencies import AnonymousBus, Bus

SCHEME: Any = [{"OAuth2PasswordBearer": []}]


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
    return app


def operation(app: FastAPI, method: str, path: str) -> Any:
    return app.openapi()["paths"][path][method]


def headers_of(operation: Any) -> list[str]:
    return [each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"]


def test_commands_take_a_key_and_queries_do_not(app: FastAPI) -> None:
    assert headers_of(operation(app, "post", "/things/{thing}")) == ["X-Own", "Idempotency-Key"]
    assert headers_of(operation(app, "post", "/things/by-anybody/of-them")) == ["Idempotency-Key"]
    assert headers_of(operation(app, "post", "/things/without/bus")) == []
    assert headers_of(operation(app, "get", "/things")) == []


def test_where_a_caller_is_looked_at_it_is_documented_how_to_sign_in(app: FastAPI) -> None:
    assert operation(app, "post", "/things/{thing}")["security"] == SCHEME
    assert operation(app, "get", "/things")["security"] == SCHEME
    assert "security" not in operation(app, "post", "/things/by-anybody/of-them")


def test_a_route_stays_as_it_was_declared(app: FastAPI) -> None:
    changing, plain = operation(app, "post", "/things/{thing}"), operation(app, "post", "/things/without/bus")
    assert set(changing["responses"]) == {"202", "4XX", "5XX"}
    assert set(plain["responses"]) == {"200", "409", "4XX", "5XX"}
    assert (plain["deprecated"], plain["tags"]) == (True, ["things"])
    assert router.routes[0].openapi_extra == {"parameters": [{"name": "X-Own", "in": "header"}]}  # type: ignore[attr-defined]


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


def test_a_route_of_another_class_stays_one() -> None:
    class OwnRoute(APIRoute):
        pass

    own, app = APIRouter(route_class=OwnRoute), FastAPI()
    own.add_api_route("/own", found)
    add_routes(app, own)
    assert type(app.router.routes[-1]) is OwnRoute
