from collections.abc import Callable
from typing import Any

import pytest

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    DomainEvent,
    PolicyError,
    command_handler,
    event_handler,
    query_handler,
)
from app.core.cqrs.plan import Declaration, Kind, declarations_of, declared_handlers
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, HappenedToo, handler_of


class Worker(BaseCommandHandler[Do, str]):
    """Does it."""

    async def _handle(self, command: Do) -> str:
        return "done"


class Answerer(BaseQueryHandler[Ask, str]):
    """Answers it."""

    async def _handle(self, query: Ask) -> str:
        return "answer"


class Reactor(BaseEventHandler[DomainEvent]):
    """Reacts to it."""

    async def _handle(self, event: DomainEvent) -> None:
        pass


def fresh(base: type[Any]) -> Any:
    return type(base.__name__, (base,), {})


def test_decorators_return_the_same_class_and_remember_it() -> None:
    worker = fresh(Worker)
    assert command_handler(Do)(worker) is worker
    assert declared_handlers[-1] is worker
    answerer = fresh(Answerer)
    assert query_handler(Ask)(answerer) is answerer
    reactor = fresh(Reactor)
    assert event_handler(Happened)(reactor) is reactor
    assert declared_handlers[-2:] == [answerer, reactor]


def test_the_defaults() -> None:
    assert declarations_of(command_handler(Do)(fresh(Worker))) == (Declaration(Kind.COMMAND, Do, True, 30.0),)
    assert declarations_of(query_handler(Ask)(fresh(Answerer))) == (Declaration(Kind.QUERY, Ask, True, 15.0, True),)
    reactor = event_handler(Happened)(fresh(Reactor))
    assert declarations_of(reactor) == (Declaration(Kind.EVENT, Happened, timeout_seconds=30.0),)


@pytest.mark.parametrize(
    ("base", "decorators"),
    [
        (Worker, (command_handler(Do), command_handler(DoMore))),
        (Worker, (command_handler(Do), query_handler(Ask))),
        (Answerer, (query_handler(Ask), command_handler(Do))),
        (Worker, (command_handler(Do), event_handler(Happened))),
        (Reactor, (event_handler(Happened), command_handler(Do))),
    ],
)
def test_a_class_handles_one_command_or_query(base: type[Any], decorators: tuple[Any, Any]) -> None:
    first, second = decorators
    handler = first(fresh(base))
    with pytest.raises(PolicyError, match=r"is declared as the handler of \w+ and of \w+: .* a class for each\.$"):
        second(handler)
    assert len(declarations_of(handler)) == 1


def test_a_second_declaration_replaces_the_first() -> None:
    worker = command_handler(Do, timeout_seconds=1)(command_handler(Do, timeout_seconds=2)(fresh(Worker)))
    assert [declaration.timeout_seconds for declaration in declarations_of(worker)] == [1]
    assert declared_handlers.count(worker) == 1


def test_one_class_may_react_to_several_events_each_declared_once() -> None:
    reactor = fresh(Reactor)
    for event, inside in ((Happened, False), (HappenedToo, False), (Happened, True)):
        event_handler(event, in_transaction=inside)(reactor)
    assert {(d.message_type, d.in_transaction) for d in declarations_of(reactor)} == {
        (HappenedToo, False),
        (Happened, True),
    }


def test_a_subclass_handles_nothing_until_it_says_so() -> None:
    worker = command_handler(Do)(fresh(Worker))
    assert declarations_of(fresh(worker)) == ()


@pytest.mark.parametrize("make", [lambda: fresh(Worker), Worker, lambda: handler_of(Do, lambda _: "x")()])
async def test_what_nobody_declared_is_not_registered_silently(cqrs_bus: MemoryBus, make: Callable[[], Any]) -> None:
    with pytest.raises(PolicyError, match=r"is not a class that a decorator, such as @command_handler, has declared"):
        cqrs_bus.register(make())


async def test_auto_register_false_is_passed_over(cqrs_bus: MemoryBus) -> None:
    for message in (Do, Ask):
        cqrs_bus.register(handler_of(message, lambda _: "x", auto_register=False))
    assert cqrs_bus.get_handler_count()["total"] == 0
    cqrs_bus.register(handler_of(DoMore, lambda _: "x"))
    assert cqrs_bus.get_handler_count()["total"] == 1


async def test_what_is_passed_over_can_be_registered_by_hand_with_what_it_declared(cqrs_bus: MemoryBus) -> None:
    worker = handler_of(Do, lambda _: "x", auto_register=False, timeout_seconds=7)
    cqrs_bus.register_command_handler(Do, worker)
    assert cqrs_bus.describe()["commands"]["Do"]["timeout_seconds"] == 7


@pytest.mark.parametrize(("message", "seconds"), [(Do, 30.0), (Ask, 15.0)])
async def test_an_undeclared_handler_has_the_default_deadline(
    message: type, seconds: float, cqrs_bus: MemoryBus
) -> None:
    (cqrs_bus.register_command_handler if message is Do else cqrs_bus.register_query_handler)(
        message, Worker if message is Do else Answerer
    )
    described = cqrs_bus.describe()
    (found,) = (described["commands"] | described["queries"]).values()
    assert found["timeout_seconds"] == seconds
