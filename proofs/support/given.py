"""Handlers whose bodies the tests give: what a team may write, inside a transaction and outside of one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    BusinessRuleViolationError,
    DomainEvent,
    ICommand,
    IQuery,
    command_handler,
    event_handler,
    query_handler,
    retry_on_failure,
    transactional,
)
from app.core.ids import uuid7
from app.persistence.tables import registrations

Body = Callable[[Any], Awaitable[Any]]
"""Takes the handler, which has `session` and `bus`."""


async def write(handler: Any) -> None:
    """Store a row."""
    row = {"event_id": uuid7(), "registered_at": datetime.now(UTC)}
    await handler.session.execute(insert(registrations).values(row))


async def nothing(_: Any) -> None:
    """A body that does nothing."""


@dataclass(frozen=True)
class Do(ICommand[Any]):
    """Done in a transaction."""

    body: Body = field(compare=False)
    told: Body | None = field(compare=False, default=None)


@dataclass(frozen=True)
class DoPart(ICommand[Any]):
    """A part, in a transaction too."""

    body: Body = field(compare=False)


@dataclass(frozen=True)
class DoDryly(ICommand[Any]):
    """Done in a transaction that is never kept."""

    body: Body = field(compare=False)


@dataclass(frozen=True)
class DoRepeatedly(ICommand[Any]):
    """Done in a transaction, and tried again."""

    body: Body = field(compare=False)


@dataclass(frozen=True)
class DoKeeping(ICommand[Any]):
    """Done in a transaction that is kept in spite of errors of the domain, but for broken rules."""

    body: Body = field(compare=False)


@dataclass(frozen=True)
class DoPlainly(ICommand[Any]):
    """Done without a transaction."""

    body: Body = field(compare=False)


@dataclass(frozen=True)
class Look(IQuery[Any]):
    """Looked up."""

    body: Body = field(compare=False)
    told: Body | None = field(compare=False, default=None)


@command_handler(Do)
@transactional()
class DoHandler(BaseCommandHandler[Do, Any]):
    session: AsyncSession

    async def _handle(self, command: Do) -> Any:
        return await command.body(self)

    async def _get_affected_entities(self, command: Do, result: Any) -> Any:
        return None if command.told is None else await command.told(self)


@command_handler(DoPart)
@transactional()
class DoPartHandler(BaseCommandHandler[DoPart, Any]):
    session: AsyncSession

    async def _handle(self, command: DoPart) -> Any:
        return await command.body(self)


@command_handler(DoDryly)
@transactional(commit_on_success=False)
class DoDrylyHandler(BaseCommandHandler[DoDryly, Any]):
    session: AsyncSession

    async def _handle(self, command: DoDryly) -> Any:
        return await command.body(self)


@command_handler(DoRepeatedly)
@transactional()
@retry_on_failure(max_attempts=20, delay_seconds=0.02)
class DoRepeatedlyHandler(BaseCommandHandler[DoRepeatedly, Any]):
    session: AsyncSession

    async def _handle(self, command: DoRepeatedly) -> Any:
        return await command.body(self)


@command_handler(DoKeeping)
@transactional(rollback_on=[BusinessRuleViolationError])
class DoKeepingHandler(BaseCommandHandler[DoKeeping, Any]):
    session: AsyncSession

    async def _handle(self, command: DoKeeping) -> Any:
        return await command.body(self)


@command_handler(DoPlainly)
class DoPlainlyHandler(BaseCommandHandler[DoPlainly, Any]):
    async def _handle(self, command: DoPlainly) -> Any:
        return await command.body(self)


@query_handler(Look)
class LookHandler(BaseQueryHandler[Look, Any]):
    session: AsyncSession

    async def _handle(self, query: Look) -> Any:
        return await query.body(self)

    async def _get_pagination_info(self, query: Look, result: Any) -> Any:
        return None if query.told is None else await query.told(self)


@dataclass(frozen=True)
class Noted(DomainEvent):
    """Something happened; `key` says what reacts to it, in `inside` and `after`."""

    key: str


inside: dict[str, Body] = {}
after: dict[str, Body] = {}


@event_handler(Noted, in_transaction=True)
class ReactInside(BaseEventHandler[Noted]):
    session: AsyncSession

    async def _handle(self, event: Noted) -> None:
        body: Body = inside.get(event.key) or nothing
        await body(self)


@event_handler(Noted)
@transactional()
class ReactAfter(BaseEventHandler[Noted]):
    session: AsyncSession

    async def _handle(self, event: Noted) -> None:
        body: Body = after.get(event.key) or nothing
        await body(self)
