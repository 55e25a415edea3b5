"""Results and errors as answers: one table, and problem documents that tell no more than they should."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import FastAPI, Form
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel
from starlette.responses import Response

from app.api.edge import protect
from app.api.errors import HTTP, answer, answer_errors
from app.api.models import Body, Text
from app.core.cqrs import (
    BaseCommandHandler,
    BusinessRuleViolationError,
    CommandResult,
    CommandValidationError,
    ConfigurationError,
    CQRSError,
    HandlerTimeoutError,
    ICommand,
    OperationResult,
    OperationStatus,
    RateLimitedError,
    ResourceNotFoundError,
    ServiceUnavailableError,
)
from app.core.cqrs.results import SUCCEEDED, Kept
from app.core.logging import configure_logging
from tests.databases import settings_for

FAILURES = [status for status in OperationStatus if not status.is_success]
to_answer: list[OperationResult[Any] | Exception] = []


class Person(Body):
    name: Text
    password: Text


class Card(BaseModel):
    number: Text


@dataclass
class Ping(ICommand[str]):
    """Something to answer."""


class PingHandler(BaseCommandHandler[Ping, str]):
    """Answers with one of its helpers."""

    helper: str

    async def _handle(self, command: Ping) -> Any:
        return getattr(self, self.helper)(*(() if self.helper == "no_content" else ("Because.",)))


@dataclass(frozen=True)
class Weigh(ICommand[str]):
    """Something that refuses to be made."""

    grams: tuple[int, ...]

    def __post_init__(self) -> None:
        if min(self.grams) <= 0:
            raise CommandValidationError("Nothing weighs so little.", details={"grams": "must be more than 0"})


@dataclass
class Parcel:
    id: UUID
    price: Decimal


def small_app() -> FastAPI:
    configure_logging()
    app = FastAPI()

    @app.get("/answer")
    async def answered() -> Response:
        given = to_answer.pop()
        if isinstance(given, Exception):
            raise given
        return answer(given)

    @app.post("/people")
    async def people(people: list[Person]) -> int:
        return len(people)

    @app.post("/scales")
    async def scales(grams: list[int]) -> int:
        return sum(Weigh(tuple(grams)).grams)

    @app.post("/form")
    async def form(card: Annotated[Card, Form()]) -> str:
        return card.number

    answer_errors(app)
    protect(app, settings_for("sqlite:///x.db", max_body_bytes=100_000, body_timeout_seconds=1))
    return app


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(small_app()), base_url="http://service") as client:
        yield client


def test_every_outcome_has_an_http_status_and_a_title() -> None:
    assert set(HTTP) == set(OperationStatus)


@pytest.mark.parametrize(
    ("helper", "status"),
    [
        ("ok", 200),
        ("created", 201),
        ("accepted", 202),
        ("no_content", 204),
        ("bad_request", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not_found", 404),
        ("conflict", 409),
        ("unprocessable_entity", 422),
        ("internal_server_error", 500),
        ("service_unavailable", 503),
    ],
)
async def test_what_a_handler_answers_has_its_http_status(client: AsyncClient, helper: str, status: int) -> None:
    to_answer.append(await PingHandler(helper=helper).handle(Ping()))
    assert (await client.get("/answer")).status_code == status


@pytest.mark.parametrize(
    ("error", "status"),
    [(BusinessRuleViolationError, 422), (RateLimitedError, 429), (HandlerTimeoutError, 504), (CQRSError, 500)],
)
async def test_what_is_raised_has_its_http_status(client: AsyncClient, error: type[CQRSError], status: int) -> None:
    to_answer.append(error("No."))
    assert (await client.get("/answer")).status_code == status


async def test_a_message_that_refuses_to_be_made_is_a_problem(client: AsyncClient) -> None:
    made, refused = [await client.post("/scales", json=grams) for grams in ([1, 2], [1, 0])]
    assert (made.status_code, made.json()) == (200, 3)
    assert (refused.status_code, refused.json()["errors"]) == (422, {"grams": "must be more than 0"})


@pytest.mark.parametrize("status", FAILURES)
async def test_each_failure_is_a_problem_document(client: AsyncClient, status: OperationStatus) -> None:
    to_answer.append(OperationResult[Any].failure(status, {"field": "is wrong"}, "It did not work."))
    response = await client.get("/answer")
    failed = status is OperationStatus.FAILED

    assert response.status_code == HTTP[status][0]
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"urn:problem:{status.value}"
    assert problem["title"] == HTTP[status][1]
    assert problem["status"] == response.status_code
    assert problem["instance"] == "/answer"
    assert (problem["detail"] == "It did not work.") is not failed
    assert problem.get("errors") == (None if failed else {"field": "is wrong"})


@pytest.mark.parametrize("status", [status for status in OperationStatus if status.is_success])
async def test_each_success_has_its_status(client: AsyncClient, status: OperationStatus) -> None:
    to_answer.append(OperationResult[Any].success({"a": 1}, status))
    response = await client.get("/answer")

    assert response.status_code == HTTP[status][0]
    assert response.content == (b"" if status is OperationStatus.NO_CONTENT else b'{"a":1}')


async def test_ids_and_money_are_text(client: AsyncClient) -> None:
    parcel = Parcel(UUID(int=1), Decimal("12.90"))
    to_answer.append(OperationResult[Any].success(parcel))

    assert (await client.get("/answer")).json() == {"id": str(parcel.id), "price": "12.90"}


def test_what_is_kept_as_json_is_sent_as_it_is_unless_the_endpoint_shapes_it() -> None:
    kept: OperationResult[Any] = OperationResult.of(Kept(b'{"as": "it is"}', lambda: {"as": "made"}), None, SUCCEEDED)

    assert answer(kept).body == b'{"as": "it is"}'
    assert answer(kept, lambda data: [data]).body == b'[{"as":"made"}]'
    assert answer(OperationResult.of(Kept(None, lambda: 7), None, SUCCEEDED)).body == b"7"


def test_headers_and_shape_are_the_endpoints() -> None:
    result = OperationResult[str].success("17", OperationStatus.CREATED)

    response = answer(result, lambda parcel_id: {"parcel_id": parcel_id}, Location="/parcels/17")

    assert (response.status_code, response.headers["location"]) == (201, "/parcels/17")
    assert json.loads(bytes(response.body)) == {"parcel_id": "17"}


async def test_a_problem_names_the_operation_and_the_request(client: AsyncClient) -> None:
    ping = Ping()
    result = CommandResult[str].not_found("No such parcel.")
    to_answer.append(CommandResult[str].of(None, ping, result._outcome))

    problem = (await client.get("/answer", headers={"X-Request-ID": "r1"})).json()

    assert problem["operation_id"] == ping.metadata.operation_id
    assert problem["request_id"] == "r1"


@pytest.mark.parametrize("error", [RateLimitedError, ServiceUnavailableError])
@pytest.mark.parametrize(
    ("given", "header"),
    [({}, "1"), ({"retry_after": 2.1}, "3"), ({"retry_after": 0}, "1"), ({"retry_after": "soon"}, "1")],
)
async def test_a_refusal_for_now_tells_when_to_come_back(
    client: AsyncClient, error: type[RateLimitedError], given: dict[str, Any], header: str
) -> None:
    to_answer.append(error("Not now.", details=given))
    response = await client.get("/answer")

    assert response.headers["Retry-After"] == header
    assert "errors" not in response.json()


async def test_who_is_not_signed_in_is_told_how(client: AsyncClient) -> None:
    to_answer.append(OperationResult[Any].failure(OperationStatus.UNAUTHENTICATED))

    assert (await client.get("/answer")).headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("error", [ConfigurationError("the table orders is missing"), KeyError("hunter2")])
async def test_a_bug_tells_nothing(client: AsyncClient, error: Exception) -> None:
    to_answer.append(error)
    response = await client.get("/answer")

    assert response.status_code == 500
    assert response.json()["detail"].startswith("Something went wrong on our side")
    assert "table" not in response.text
    assert "hunter2" not in response.text


async def test_an_error_raised_on_the_way_is_answered_like_a_result(client: AsyncClient) -> None:
    to_answer.append(ResourceNotFoundError("No such parcel."))
    response = await client.get("/answer")

    assert (response.status_code, response.json()["detail"]) == (404, "No such parcel.")


async def test_unknown_addresses_and_methods(client: AsyncClient) -> None:
    nothing = await client.get("/nothing")
    wrong = await client.put("/answer")

    assert (nothing.status_code, nothing.json()["detail"]) == (404, "There is nothing at this address.")
    assert (wrong.status_code, wrong.json()["detail"]) == (405, "This address does not take this method.")
    assert wrong.headers["allow"] == "GET"


async def test_wrong_fields_are_named_and_what_was_sent_is_not_echoed(client: AsyncClient) -> None:
    response = await client.post("/people", json=[{"name": "Ada", "password": "hunter2"}, {"password": "hunter2"}])

    assert response.status_code == 422
    assert response.json()["errors"] == {"1.name": "Field required"}
    assert "hunter2" not in response.text


async def test_so_many_wrong_fields_are_not_all_named(client: AsyncClient) -> None:
    response = await client.post("/people", json=[{}] * 1000)

    assert len(response.json()["errors"]) == 50


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 422),
        (b"{", JSON, 400),
        (b'[{"name": "\xff"}]', JSON, 400),
        (b"9" * 5000, JSON, 400),
        (b"[" * 50_000, JSON, 400),
        (b"[" * 200 + b"]" * 200, JSON, 422),
        (b'[{"name": NaN, "password": Infinity}]', JSON, 422),
        (b'[{"name": "\\ud800", "password": "\\u0000"}]', JSON, 422),
        (b'{"\\ud800": 1}', JSON, 422),
        (b'[{"\\ud800": 1}]', JSON, 422),
        (b"null", JSON, 422),
        (b"[]", {}, 415),
        (b"[]", {"Content-Type": "text/plain"}, 415),
        (b"[]", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"[]", {"Content-Type": ";;;"}, 415),
        (b"[]", {"Content-Type": "application/json; charset=utf-7"}, 200),
    ],
)
async def test_bodies_that_are_no_json(client: AsyncClient, body: bytes, headers: dict[str, str], status: int) -> None:
    response = await client.post("/people", content=body, headers=headers)

    assert response.status_code == status
    if status != 200:
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"number=17", "application/x-www-form-urlencoded", 200),
        (b"", "application/x-www-form-urlencoded", 422),
        (b"number=%00", "application/x-www-form-urlencoded", 422),
        (b'{"number": "17"}', "application/json", 415),
        (b"number=17", "multipart/form-data", 400),
        (b"number=17", "multipart/form-data; boundary=x", 400),
        (b"&".join([b"a=1"] * 2000), "application/x-www-form-urlencoded", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="number"; filename="f"\r\n\r\n17\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            422,
        ),
    ],
)
async def test_forms(client: AsyncClient, body: bytes, content_type: str, status: int) -> None:
    response = await client.post("/form", content=body, headers={"Content-Type": content_type})

    assert response.status_code == status
    if status != 200:
        assert response.headers["content-type"] == "application/problem+json"
