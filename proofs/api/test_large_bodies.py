"""A body of many values is refused before it costs far more memory and time than its bytes."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Response
from httpx2 import ASGITransport, AsyncClient
from pydantic import AfterValidator, ValidationError

from app.api.errors import MOST_ERRORS, answer_errors, field_errors
from app.api.models import MOST_PROBLEMS, Body
from app.api.routing import add_routes
from app.api.storable import MOST_VALUES, require
from app.core.cqrs import CQRSError

validated: list[int] = []


def noted(number: int) -> int:
    validated.append(number)
    return number


class Numbers(Body):
    numbers: list[Annotated[int, AfterValidator(noted)]]


class ManyNumbers(Numbers):
    most_values = MOST_VALUES * 2


class Extra(Body):
    extra: Any


router = APIRouter()


@router.post("/numbers")
async def add_numbers(body: Numbers) -> Response:
    return Response()


@router.post("/by-fastapi")
async def add_numbers_by_fastapi(body: Numbers) -> None:
    pass


@router.post("/many-numbers")
async def add_many_numbers(body: ManyNumbers | None = None) -> Response:
    return Response()


@router.post("/lists")
async def add_lists(body: list[Numbers]) -> Response:
    return Response()


@router.post("/many-lists")
async def add_many_lists(body: list[ManyNumbers]) -> Response:
    return Response()


@router.post("/extra")
async def add_extra(body: Extra) -> Response:
    return Response()


@router.post("/two")
async def add_two(one: Extra, other: dict[str, Any]) -> Response:
    return Response()


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    add_routes(app, router)
    answer_errors(app)
    validated.clear()
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        yield client


NUMBERS = {"numbers": [1] * MOST_VALUES}
TOO_MANY = f"must hold at most {MOST_VALUES} values"


@pytest.mark.parametrize(
    ("path", "sent", "errors"),
    [
        ("/numbers", NUMBERS, {"body": TOO_MANY}),
        ("/by-fastapi", NUMBERS, {"body": TOO_MANY}),
        ("/many-numbers", {"numbers": [1] * MOST_VALUES * 2}, {"body": f"must hold at most {MOST_VALUES * 2} values"}),
        ("/lists", [{"numbers": [1] * 100}] * 100, {"body": TOO_MANY}),
        ("/extra", {f"key {number}": 1 for number in range(MOST_VALUES)}, {"body": TOO_MANY}),
        ("/extra", {"extra": [{"a": [[1, 2]]}] * (MOST_VALUES // 5)}, {"body": TOO_MANY}),
        ("/two", {"one": {"extra": [1] * MOST_VALUES}, "other": {}}, {"one": TOO_MANY}),
        ("/two", {"one": {"extra": 1}, "other": {"a": [1] * MOST_VALUES}}, {"other": TOO_MANY}),
    ],
)
async def test_a_body_of_too_many_values_is_refused_unread(
    client: AsyncClient, path: str, sent: Any, errors: dict[str, str]
) -> None:
    answer = await client.post(path, json=sent)
    assert (answer.status_code, answer.json()["errors"]) == (422, errors)
    assert validated == []


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/numbers", {"numbers": [1] * (MOST_VALUES - 2)}),
        ("/numbers", {"numbers": [1.0] * (MOST_PROBLEMS + 1)}),
        ("/many-numbers", NUMBERS),
        ("/many-lists", [NUMBERS]),
        ("/extra", {"extra": "," * MOST_VALUES * 2}),
    ],
)
async def test_a_body_of_as_many_values_as_it_may_hold_is_read(client: AsyncClient, path: str, sent: Any) -> None:
    assert (await client.post(path, json=sent)).status_code == 200


async def test_a_body_with_many_problems_does_not_list_them(client: AsyncClient) -> None:
    answer = await client.post("/numbers", json={"numbers": ["x"] * (MOST_PROBLEMS + 1)})
    assert answer.json()["errors"] == {"body": f"has more than {MOST_PROBLEMS} problems"}
    answer = await client.post("/numbers", json={"numbers": ["x"] * MOST_PROBLEMS})
    assert len(answer.json()["errors"]) == MOST_ERRORS


async def test_a_refused_body_is_validated_once(client: AsyncClient) -> None:
    assert (await client.post("/numbers", json={"numbers": [1, "x"]})).status_code == 422
    assert validated == [1]


def test_a_message_of_too_many_values_is_refused_unread() -> None:
    validated.clear()
    text = json.dumps(NUMBERS)
    with pytest.raises(CQRSError, match=f"The message is not valid: message: {TOO_MANY}."):
        Numbers.read(text)
    assert validated == []
    assert len(ManyNumbers.read(text).numbers) == MOST_VALUES


def test_no_more_problems_are_looked_for_than_are_told() -> None:
    problems: Iterator[tuple[tuple[int], str]] = (((number,), "is wrong") for number in range(MOST_ERRORS + 2))
    with pytest.raises(ValidationError) as raised:
        require("Numbers", problems)
    assert raised.value.error_count() == MOST_ERRORS
    assert next(problems)[0] == (MOST_ERRORS,)
    errors = ({"loc": ("body", number), "msg": "is wrong"} for number in range(MOST_ERRORS + 2))
    assert len(field_errors(errors)) == MOST_ERRORS
