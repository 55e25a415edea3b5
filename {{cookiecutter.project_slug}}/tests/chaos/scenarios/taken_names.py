"""Many register under one e-mail address at once: one of them gets it, and the others are told why not."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.composition.container import running_service
from app.core.cqrs import (
    BaseCommandHandler,
    ICommand,
    OperationStatus,
    command_handler,
    retry_on_failure,
    transactional,
)
from app.persistence.tables import users
from tests.chaos.callers import Answer, Caller, callers, share_out
from tests.chaos.oracle import require
from tests.chaos.stage import Database, Stage
from tests.support.attempts import Attempts

AT_ONCE = 20


@dataclass(frozen=True)
class InsertUser(ICommand[None]):
    """Insert a user without looking whether the names are free."""

    email: str
    attempts: Attempts = field(default_factory=Attempts, compare=False)


@command_handler(InsertUser)
@transactional()
@retry_on_failure(delay_seconds=0.01)
class InsertUserHandler(BaseCommandHandler[InsertUser, None]):
    """Leaves it to the database to refuse it."""

    session: AsyncSession

    async def _handle(self, command: InsertUser) -> None:
        command.attempts.number += 1
        name = uuid4().hex
        row: dict[str, Any] = dict.fromkeys(("username", "username_key", "full_name", "password_hash"), name)
        row |= {"id": uuid4(), "email": command.email, "email_key": command.email, "is_active": True, "version": 0}
        await self.session.execute(insert(users).values(**row, created_at=command.metadata.timestamp))


async def play(stage: Stage) -> str:
    """On each database."""
    lines = [await _on(stage, database, stage.size(5, 50)) async for database in stage.databases(1)]
    return "; ".join(lines)


async def _on(stage: Stage, database: Database, addresses: int) -> str:
    answers: dict[str, list[Answer | None]] = {}

    async def register(caller: Caller, number: int) -> None:
        email = f"person{number // AT_ONCE}@example.org"
        body = {"email": email, "username": f"person{number}", "password": "correct horse", "full_name": "A Person"}
        answers.setdefault(email, []).append(await caller.post("/api/users", body))

    async with stage.service(database) as service, callers(service.url, AT_ONCE) as people:
        await share_out(list(range(addresses * AT_ONCE)), people, register)
    for email, told in answers.items():
        registered = [answer for answer in told if answer is not None and answer.status == 201]
        require(len(registered) == 1, f"{len(registered)} registered as {email}.")
        require(sum(map(_names_email, told)) == AT_ONCE - 1, f"Not every 409 names the e-mail address: {told}.")
    await _tried_once(database)
    return f"{database.kind} {addresses} addresses x {AT_ONCE}, one 201 and {AT_ONCE - 1} times 409 each"


def _names_email(answer: Answer | None) -> bool:
    return answer is not None and answer.status == 409 and list(json.loads(answer.body)["errors"]) == ["email"]


async def _tried_once(database: Database) -> None:
    """What the database refuses as taken is not tried again."""
    async with running_service(database.settings(), [__name__]) as service:
        command = InsertUser("person0@example.org")
        result = await service.bus.execute_command(command)
    require(result.status is OperationStatus.CONFLICT, f"A taken address was answered {result}.")
    require(list(result.errors) == ["email"], f"The conflict names {list(result.errors)}.")
    require(command.attempts.number == 1, f"A taken address was tried {command.attempts.number} times.")
