"""A tag that nobody reads by is refused: else readers would be shown old answers, and nobody would know why."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.composition.container import HANDLERS, running_service
from app.core.config import Settings
from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    ICommand,
    IQuery,
    OperationStatus,
    PolicyError,
    cached_query,
    command_handler,
    declare_tags,
    invalidates,
    mark_stale,
    query_handler,
    transactional,
)
from app.core.cqrs.policies.invalidates import declared_tags
from app.core.cqrs.testing import MemoryBus
from support import stale


@dataclass(frozen=True)
class ReadCity(IQuery[str]):
    city_id: str
    country: str = "it"


@query_handler(ReadCity)
@cached_query(tags=["city:{city_id}", "cities", "of:{country}:{city_id}", "list:today"])
class ReadCityHandler(BaseQueryHandler[ReadCity, str]):
    async def _handle(self, query: ReadCity) -> str:
        return query.city_id


@dataclass(frozen=True)
class ChangeCity(ICommand[None]):
    id: str
    kind: str = "today"


@pytest.fixture(autouse=True)
def _as_declared_before() -> Iterator[None]:
    before = set(declared_tags)
    yield
    declared_tags.clear()
    declared_tags.update(before)


def changing(*tags: str) -> Any:
    @command_handler(ChangeCity)
    @invalidates(*tags)
    class ChangeCityHandler(BaseCommandHandler[ChangeCity, None]):
        async def _handle(self, command: ChangeCity) -> None: ...

    return ChangeCityHandler


@pytest.mark.parametrize("tag", ["city", "citys", "City:{id}", "cities:{id}", "of:{id}", "list:tomorrow", "city-{id}"])
def test_a_tag_that_no_cached_query_has_is_refused(tag: str) -> None:
    bus = MemoryBus(ReadCityHandler, changing("cities", tag))
    with pytest.raises(PolicyError) as refused:
        bus.complete()
    assert f"@invalidates of ChangeCityHandler makes the tag {tag!r} stale, which no @cached_query has" in str(
        refused.value
    )
    assert "there are: " in str(refused.value) and "city:{city_id}" in str(refused.value)


@pytest.mark.parametrize("tag", ["cities", "city:{id}", "city:7", "of:{kind}:{id}", "of:it:{id}", "list:{kind}"])
def test_a_tag_of_the_same_shape_is_one(tag: str) -> None:
    MemoryBus(ReadCityHandler, changing(tag)).complete()


@pytest.mark.parametrize("tag", ["town", "town:{id}", "other-service:towns"])
def test_a_tag_may_be_declared_by_who_keeps_entries_otherwise(tag: str) -> None:
    declare_tags("town", "town:{town_id}", "other-service:{anything}")
    MemoryBus(changing(tag)).complete()


def test_all_of_them_are_told_at_once() -> None:
    with pytest.raises(PolicyError, match=r"(?s)'one'.*'two'"):
        MemoryBus(changing("one", "two")).complete()


def test_one_that_is_registered_later_is_asked_too() -> None:
    bus = MemoryBus(ReadCityHandler)
    bus.complete()
    with pytest.raises(PolicyError, match="@invalidates of ChangeCityHandler makes the tag 'citys' stale"):
        bus.register(changing("citys"))
    bus.register(changing("cities"))


def test_a_bus_with_a_few_handlers_is_not_asked() -> None:
    MemoryBus(changing("whatever"))


@pytest.mark.parametrize("tag", ["city:{id", "city:{}", "city:id}"])
def test_a_tag_that_cannot_be_read_is_refused(tag: str) -> None:
    with pytest.raises(PolicyError, match="ChangeCityHandler: a tag"):
        MemoryBus(changing(tag))


@dataclass(frozen=True)
class Mark(ICommand[None]):
    tag: str
    in_a_task: bool = False


@command_handler(Mark)
@transactional()
class MarkHandler(BaseCommandHandler[Mark, None]):
    async def _handle(self, command: Mark) -> None:
        if command.in_a_task:
            await asyncio.gather(self._mark(command.tag))
        else:
            await self._mark(command.tag)

    async def _mark(self, tag: str) -> None:
        mark_stale(tag)


@pytest.mark.parametrize("tag", ["citys", "town:7", "of:7"])
async def test_a_tag_that_is_known_only_then_is_refused_then(tag: str) -> None:
    bus = MemoryBus(ReadCityHandler, MarkHandler)
    assert (await bus.execute_command(Mark(tag))).is_success, "a test of one handler needs no readers"
    bus.complete()
    refused = await bus.execute_command(Mark(tag))
    assert refused.status is OperationStatus.FAILED
    assert f"mark_stale() in Mark makes the tag {tag!r} stale, which no @cached_query has" in str(refused.error_message)


@pytest.mark.parametrize("tag", ["cities", "city:7", "of:it:7", "city:urn:uuid:7", "city:{odd"])
async def test_one_that_is_read_is_taken(tag: str) -> None:
    bus = MemoryBus(ReadCityHandler, MarkHandler)
    bus.complete()
    assert (await bus.execute_command(Mark(tag))).is_success


async def test_a_reader_that_comes_later_counts() -> None:
    bus = MemoryBus(MarkHandler)
    bus.complete()
    assert (await bus.execute_command(Mark("cities"))).is_failure
    bus.register(ReadCityHandler)
    assert (await bus.execute_command(Mark("cities"))).is_success


async def test_in_a_task_that_the_commit_does_not_wait_for_it_is_refused() -> None:
    refused = await MemoryBus(MarkHandler).execute_command(Mark("cities", in_a_task=True))
    assert "mark_stale() was called by a task that was started in Mark" in str(refused.error_message)


async def test_the_service_does_not_start(settings: Settings) -> None:
    with pytest.raises(PolicyError, match="RefreshEverythingHandler makes the tag 'user' stale, which no"):
        async with running_service(settings, (HANDLERS, stale.__name__)):
            pass
