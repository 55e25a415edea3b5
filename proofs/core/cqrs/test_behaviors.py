"""A behaviour that would never run is refused: whoever wrote it believes that it guards something."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.composition.container import HANDLERS, running_service
from app.core.config import Settings
from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    DomainEvent,
    ICommand,
    IQuery,
    NextHandler,
    OperationResult,
    PipelineBehavior,
    PolicyError,
    command_handler,
    query_handler,
)
from app.core.cqrs.testing import MemoryBus
from support import idle_behavior


@dataclass(frozen=True)
class Lend(ICommand[None]):
    book: str


@command_handler(Lend)
class LendHandler(BaseCommandHandler[Lend, None]):
    async def _handle(self, command: Lend) -> None: ...


@dataclass(frozen=True)
class Search(IQuery[None]):
    book: str


@query_handler(Search)
class SearchHandler(BaseQueryHandler[Search, None]):
    async def _handle(self, query: Search) -> None: ...


@dataclass(frozen=True)
class Return(ICommand[None]):
    """Nobody handles it."""


@dataclass(frozen=True, kw_only=True)
class BookLent(DomainEvent):
    book: str


@dataclass(frozen=True, kw_only=True)
class BookLost(DomainEvent):
    book: str


class Unrelated: ...


def behavior_of(message_type: Any) -> Any:
    base: Any = PipelineBehavior[message_type]

    class Around(base):  # type: ignore[misc]
        async def handle(self, message: Any, next_handler: NextHandler) -> OperationResult[Any]:
            return await next_handler()

    return Around


@pytest.mark.parametrize("message_type", [BookLent, DomainEvent, BookLent | BookLost, Lend | BookLost])
@pytest.mark.parametrize("as_instance", [True, False])
def test_a_behaviour_of_an_event_is_refused(message_type: Any, as_instance: bool) -> None:
    behavior = behavior_of(message_type)
    with pytest.raises(PolicyError, match=r"Around is a behaviour of .*, and would never run: .* an @event_handler"):
        MemoryBus().add_middleware(behavior() if as_instance else behavior)


@pytest.mark.parametrize("message_type", [Return, Unrelated, Return | Unrelated])
def test_one_of_what_nobody_handles_is_refused_when_all_is_registered(message_type: Any) -> None:
    bus = MemoryBus(LendHandler, SearchHandler)
    bus.add_middleware(behavior_of(message_type))
    with pytest.raises(PolicyError, match=r"Around is a behaviour of (Return|Unrelated).*, of which nobody handles"):
        bus.complete()


def test_one_of_the_other_kind_is_refused() -> None:
    bus = MemoryBus(LendHandler, SearchHandler)
    bus.add_query_middleware(behavior_of(Lend))
    with pytest.raises(PolicyError, match="Around is a behaviour of Lend, of which nobody handles any here"):
        bus.complete()


@pytest.mark.parametrize("message_type", [Lend, Lend | Return, ICommand[Any], IQuery[Any], Any, object])
def test_one_that_runs_is_taken(message_type: Any) -> None:
    bus = MemoryBus(LendHandler, SearchHandler)
    bus.add_middleware(behavior_of(message_type))
    bus.complete()


async def test_the_service_does_not_start(settings: Settings) -> None:
    with pytest.raises(PolicyError, match="CountRegistrations is a behaviour of UserCreated, and would never run"):
        async with running_service(settings, (HANDLERS, idle_behavior.__name__)):
            pass
