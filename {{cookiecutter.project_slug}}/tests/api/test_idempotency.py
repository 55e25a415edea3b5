"""Requests sent again under the same `Idempotency-Key`."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from pydantic import BaseModel, Field

from app.api.document import problems
from app.api.errors import answer
from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import (
    BaseCommandHandler,
    ICommand,
    OperationResult,
    RateLimitedError,
    command_handler,
    idempotent,
    transactional,
)
from app.dependencies import Bus
from app.main import create_app
from app.persistence.tables import users
from tests.api.callers import Callers, new_user
from tests.lifespan import started
from tests.rows import events_of, rows_of
from tests.users import PASSWORD

KEY = {"Idempotency-Key": "form-17"}


@dataclass(frozen=True)
class Line:
    """A part of the receipt."""

    price: Decimal
    weights: tuple[float, ...]
    note: str | None = None


class Receipt(BaseModel):
    """Everything that could be written differently the second time."""

    number: UUID = Field(alias="receiptNumber")
    at: datetime
    took: timedelta
    lines: tuple[Line, ...]
    labels: dict[str, str]


@dataclass(frozen=True)
class Charge(ICommand[Receipt]):
    """Take money."""

    amount: Decimal


@command_handler(Charge)
@transactional(rollback_on=[])
@idempotent(required=True)
class ChargeHandler(BaseCommandHandler[Charge, Receipt]):
    """Answers differently each time."""

    async def _handle(self, command: Charge) -> OperationResult[Receipt]:
        zone = timezone(timedelta(hours=5, minutes=45))
        if command.amount > 100:
            details = {"at": datetime.now(zone), "most": Decimal("100.00"), "retry_after": 2.5}
            raise RateLimitedError("That is too much for today.", details=details)
        lines = (Line(Decimal("1.10"), (0.1 + 0.2, 1e300, 2.0)), Line(command.amount, (), "<é 😀>"))
        labels = {"z": "1", "a": "{3}", "at": str(datetime.now(zone)), "price": "7.00"}
        receipt = Receipt(
            receiptNumber=uuid4(),
            at=datetime.now(zone),
            took=timedelta(days=-1, microseconds=1),
            lines=lines,
            labels=labels,
        )
        return self.accepted(receipt)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, with one more endpoint."""
    app = create_app(settings)

    @app.post("/charge", status_code=202, responses=problems(429))
    async def charge(amount: Decimal, bus: Bus) -> Any:
        result = await bus.execute_command(Charge(amount))
        return answer(result, Location=f"/receipts/{result.data.number if result.data else None}")

    async with started(app):
        app.state.service.bus.register_command_handler(Charge, ChargeHandler())
        yield app


def said(response: Response) -> tuple[int, bytes, str, str]:
    """What the endpoint is responsible for."""
    return response.status_code, response.content, response.headers["content-type"], response.headers["location"]


def is_replay(response: Response) -> bool:
    return response.headers.get("idempotency-replayed") == "true"


async def test_fifty_at_once_have_one_effect_and_one_answer(client: AsyncClient, service: RunningService) -> None:
    answers = await asyncio.gather(*(client.post("/api/users", json=new_user(), headers=KEY) for _ in range(50)))

    assert {said(each) for each in answers} == {said(answers[0])}
    assert answers[0].status_code == 201
    assert sum(not is_replay(each) for each in answers) == 1
    assert len(await rows_of(service, users)) == len(await events_of(service, "User")) == 1


async def test_keys_and_callers_are_kept_apart(callers: Callers, client: AsyncClient) -> None:
    everybody = [await callers.member(), await callers.member(), client]
    answers = [
        await who.post("/charge?amount=1", headers={"Idempotency-Key": key}) for who in everybody for key in "ab"
    ]

    assert len({said(each) for each in answers}) == 6
    assert not any(map(is_replay, answers))


async def test_a_replay_is_the_same_to_the_byte(client: AsyncClient) -> None:
    first, second, third = [await client.post("/charge?amount=1.50", headers=KEY) for _ in range(3)]

    assert said(first) == said(second) == said(third)
    assert first.status_code == 202
    assert (is_replay(first), is_replay(second), is_replay(third)) == (False, True, True)


async def test_a_replayed_failure_is_the_same_but_for_the_ids_in_the_logs(client: AsyncClient) -> None:
    first, second = [await client.post("/charge?amount=101", headers=KEY) for _ in range(2)]
    told = [{**each.json(), "operation_id": "", "request_id": ""} for each in (first, second)]

    assert told[0] == told[1]
    assert (first.status_code, second.status_code) == (429, 429)
    assert (first.headers["retry-after"], second.headers["retry-after"]) == ("3", "3")
    assert (is_replay(first), is_replay(second)) == (False, True)


async def test_another_request_under_the_same_key_is_refused(client: AsyncClient) -> None:
    await client.post("/api/users", json=new_user(), headers=KEY)
    other = await client.post("/api/users", json=new_user(password=f"{PASSWORD}!"), headers=KEY)

    assert (other.status_code, other.json()["type"]) == (422, "urn:problem:validation_error")
    assert other.json()["errors"] == {"idempotency_key": "was used for another request"}
    assert not is_replay(other)


async def test_where_a_key_is_required_its_absence_is_a_bad_request(client: AsyncClient) -> None:
    refused = await client.post("/charge?amount=1")

    assert (refused.status_code, refused.json()["type"]) == (400, "urn:problem:bad_request")
    assert refused.json()["errors"] == {"idempotency_key": "is missing"}


async def test_a_key_that_no_header_should_hold_is_refused(client: AsyncClient) -> None:
    for key in ("", "a b", "é", "x" * 201):
        refused = await client.post("/api/users", json=new_user(), headers={b"Idempotency-Key": key.encode()})
        assert (refused.status_code, refused.json()["type"]) == (400, "urn:problem:bad_request")


async def test_who_may_not_any_more_is_shown_no_answer_of_before(callers: Callers, settings: Settings) -> None:
    root, ada = await callers.administrator(), await callers.administrator()
    batch = {"json": {"users": [new_user()]}, "headers": KEY}
    first, again = [await ada.post("/api/users/batch", **batch) for _ in range(2)]  # type: ignore[arg-type]
    assert (first.status_code, again.content, is_replay(again)) == (201, first.content, True)

    for role in (await root.get(ada.url)).json()["roles"]:
        assert (await root.delete(f"{ada.url}/roles/{role}")).status_code == 204
    demoted = await ada.post("/api/users/batch", **batch)  # type: ignore[arg-type]
    assert (await root.post(f"{ada.url}/deactivate")).status_code == 204
    deactivated = await ada.post("/api/users/batch", **batch)  # type: ignore[arg-type]
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=settings.access_token_seconds + 1)):
        expired = await ada.post("/api/users/batch", **batch)  # type: ignore[arg-type]

    assert (demoted.status_code, deactivated.status_code in (401, 403), expired.status_code) == (403, True, 401)
    assert not any("user_ids" in refused.text or is_replay(refused) for refused in (demoted, deactivated, expired))


async def test_what_failed_may_be_tried_again_under_its_key(client: AsyncClient) -> None:
    await client.post("/api/users", json=new_user(email="ada2@example.org"))
    taken = await client.post("/api/users", json=new_user(), headers=KEY)
    other = await client.post("/api/users", json=new_user(username="ada2"), headers=KEY)

    assert (taken.status_code, other.status_code) == (409, 201)


async def test_where_no_keys_are_taken_they_do_no_harm(client: AsyncClient, callers: Callers) -> None:
    ada = await callers.member()
    form = {"username": ada.username, "password": PASSWORD}
    first, second = [(await client.post("/api/auth/login", data=form, headers=KEY)).json() for _ in range(2)]
    pairs = [first, second]
    for _ in range(2):
        token = {"refresh_token": pairs[-1]["refresh_token"]}
        pairs.append((await client.post("/api/auth/refresh", json=token, headers=KEY)).json())
    last = {"refresh_token": pairs[-1]["refresh_token"]}
    ended = [(await client.post("/api/auth/logout", json=last, headers=KEY)).status_code for _ in range(2)]

    assert len({pair["refresh_token"] for pair in pairs}) == 4
    assert ended == [204, 204]
