"""Where a message does not say what it is answered with, its handler does."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel

from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    CQRSBus,
    ICommand,
    IQuery,
    PolicyError,
    cached_query,
    command_handler,
    idempotent,
    query_handler,
    transactional,
)
from app.core.cqrs.testing import MemoryBus

T = TypeVar("T")


class PersonDto(BaseModel):
    id: UUID
    name: str


@dataclass
class GetPerson(IQuery):  # as the quick start has it
    person_id: UUID


@query_handler(GetPerson)
@cached_query(ttl_seconds=60)
class GetPersonHandler(BaseQueryHandler[GetPerson, PersonDto]):
    async def _handle(self, query: GetPerson) -> PersonDto:
        return PersonDto(id=query.person_id, name="Ada")


@dataclass
class FindPeople(IQuery):
    name: str


class FindingHandler(BaseQueryHandler[FindPeople, list[T]], Generic[T]):
    """A base of a team."""


@query_handler(FindPeople)
@cached_query(ttl_seconds=60)
class FindPeopleHandler(FindingHandler[PersonDto]):
    async def _handle(self, query: FindPeople) -> list[PersonDto]:
        return [PersonDto(id=uuid4(), name=query.name)]


@dataclass
class CreatePerson(ICommand):
    name: str


@command_handler(CreatePerson)
@transactional()
@idempotent()
class CreatePersonHandler(BaseCommandHandler[CreatePerson, UUID]):
    async def _handle(self, command: CreatePerson) -> UUID:
        return uuid4()


async def test_the_quick_start_of_a_cached_query_works_as_printed() -> None:
    bus = MemoryBus(GetPersonHandler)
    query = GetPerson(uuid4())
    first, second = results = [await bus.execute_query(query) for _ in range(2)]
    assert [result.cache_info and result.cache_info["hit"] for result in results] == [False, True]
    assert type(second.data) is PersonDto
    assert first.data == second.data


async def test_a_base_between_counts_too() -> None:
    bus = MemoryBus(FindPeopleHandler)
    results = [await bus.execute_query(FindPeople("Ada")) for _ in range(2)]
    assert [type(one) for result in results for one in result.unwrap()] == [PersonDto, PersonDto]
    assert results[0].data == results[1].data


async def test_an_idempotent_command_repeats_its_answer_as_what_it_was() -> None:
    bus = MemoryBus(CreatePersonHandler)
    answers = []
    for _ in range(2):
        command = CreatePerson("Ada")
        command.metadata.user_id, command.metadata.idempotency_key = "ada", "once"
        answers.append((await bus.execute_command(command)).unwrap())
    assert isinstance(answers[1], UUID)
    assert answers[0] == answers[1]


@dataclass
class Typed(IQuery[str]):
    pass


@dataclass
class Untyped(IQuery):
    pass


class WrongHandler(BaseQueryHandler[Typed, int]):
    async def _handle(self, query: Typed) -> int:
        return 1


class AnyHandler(BaseQueryHandler[Untyped, Any]):
    async def _handle(self, query: Untyped) -> Any: ...


class SilentHandler(BaseQueryHandler):
    async def _handle(self, query: Any) -> Any: ...


@pytest.mark.parametrize(
    ("message", "handler", "sentence"),
    [
        (Typed, WrongHandler, "WrongHandler answers int, but Typed is answered with str: make them the same"),
        (Untyped, AnyHandler, r"must say what it is: IQuery\[UserView\], or BaseQueryHandler\[Untyped, UserView\]"),
        (Untyped, SilentHandler, "the query or the base of its handler must say what it is"),
    ],
)
def test_what_contradicts_or_says_nothing_is_refused(message: type, handler: Any, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        CQRSBus().register_query_handler(message, cached_query()(handler))
