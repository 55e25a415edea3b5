"""What is refused when a handler is registered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from app.core.cqrs import (
    AggregateRoot,
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    CQRSBus,
    DomainEvent,
    DuplicateHandlerError,
    ICommand,
    PolicyError,
    command_handler,
    event_handler,
)
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, handler_of


@dataclass
class Make(ICommand[int | None]):
    pass


@dataclass
class MakeAny(ICommand):
    pass


def answering(answer: Any, message: Any = Make) -> Any:
    class Answering(BaseCommandHandler[message, answer]):
        async def _handle(self, command: Any) -> Any:
            return None

    return Answering


class NotAsync(BaseCommandHandler[Do, str]):
    def _handle(self, command: Do) -> str:  # type: ignore[override]  # that is the point
        return "done"


class Nothing:
    pass


WRONG: dict[str, tuple[Callable[[CQRSBus], Any], str]] = {
    "a query as a command": (
        lambda bus: bus.register_command_handler(Ask, handler_of(Ask, lambda _: "x")),
        "does not inherit ICommand, as every command does",
    ),
    "a command as a query": (
        lambda bus: bus.register_query_handler(Do, handler_of(Do, lambda _: "x")),
        "does not inherit IQuery, as every query does",
    ),
    "a command as an event": (
        lambda bus: bus.register_event_handler(Do, handler_of(Do, lambda _: "x")),
        "does not inherit DomainEvent, as every event does",
    ),
    "no class": (lambda bus: bus.register_command_handler("Do", NotAsync), "'Do' does not inherit ICommand"),  # type: ignore[arg-type]
    "no async": (lambda bus: bus.register_command_handler(Do, NotAsync), "needs an `async def _handle"),
    "no handler": (lambda bus: bus.register_command_handler(Do, Nothing), "Nothing needs an `async def _handle"),
    "another message": (
        lambda bus: bus.register_command_handler(DoMore, handler_of(Do, lambda _: "x")),
        "",
    ),
    "another answer": (
        lambda bus: bus.register_command_handler(Make, answering(str)),
        r"Answering answers str, but Make is answered with int \| None: make them the same",
    ),
}


@pytest.mark.parametrize("case", [case for case in WRONG if case != "another message"])
def test_what_does_not_fit_is_refused_with_a_sentence(case: str) -> None:
    register, sentence = WRONG[case]
    with pytest.raises(PolicyError, match=sentence):
        register(CQRSBus())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_deadline_that_leaves_no_time_is_refused(seconds: float) -> None:
    @command_handler(Do, timeout_seconds=seconds)
    class Hasty(BaseCommandHandler[Do, str]):
        async def _handle(self, command: Do) -> str:
            return "done"

    with pytest.raises(PolicyError, match=r"Hasty: timeout_seconds=\S+ leaves no time"):
        CQRSBus().register(Hasty)


def test_the_handler_of_another_message_is_refused() -> None:
    class DoHandler(BaseCommandHandler[Do, str]):
        async def _handle(self, command: Do) -> str:
            return "done"

    class AskHandler(BaseQueryHandler[Ask, str]):
        async def _handle(self, query: Ask) -> str:
            return "answer"

    class HappenedHandler(BaseEventHandler[Happened]):
        async def _handle(self, event: Happened) -> None:
            pass

    @dataclass(frozen=True)
    class Else(DomainEvent):
        pass

    bus = CQRSBus()
    with pytest.raises(PolicyError, match="DoHandler handles Do, but is registered for DoMore"):
        bus.register_command_handler(DoMore, DoHandler)
    with pytest.raises(PolicyError, match="HappenedHandler handles Happened, but is registered for Else"):
        bus.register_event_handler(Else, HappenedHandler)
    bus.register_query_handler(Ask, AskHandler())
    assert bus.get_handler_count()["total"] == 1


@pytest.mark.parametrize("answer", [int, bool, int | None, None, bool | None, Any])
def test_an_answer_may_be_narrower_than_declared(answer: Any) -> None:
    CQRSBus().register_command_handler(Make, answering(answer))


@pytest.mark.parametrize("answer", [str, object, int | str, list[int]])
def test_and_not_wider(answer: Any) -> None:
    with pytest.raises(PolicyError):
        CQRSBus().register_command_handler(Make, answering(answer))


class Ship(AggregateRoot):
    pass


class Fleet(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    ships: dict[str, Ship]


@dataclass
class Harbour:
    fleet: Fleet
    neighbour: "Harbour | None" = None


@pytest.mark.parametrize("answer", [Ship, Ship | None, list[Ship], dict[str, tuple[Ship, ...]], Fleet, list[Harbour]])
def test_a_command_that_answers_with_an_aggregate_is_refused(answer: Any) -> None:
    @dataclass
    class Launch(ICommand[answer]):
        pass

    @dataclass
    class LaunchAny(ICommand):
        pass

    for message in (Launch, LaunchAny):
        with pytest.raises(PolicyError, match=r"Answering answers .*lets the aggregate Ship out.*answer with its id"):
            CQRSBus().register_command_handler(message, answering(answer, message))


def test_undeclared_answers_fit_all() -> None:
    CQRSBus().register_command_handler(MakeAny, answering(str, MakeAny))


def test_a_failed_registration_leaves_the_bus_as_it_was() -> None:
    bus = CQRSBus()
    with pytest.raises(PolicyError):
        bus.register_command_handler(Make, answering(str))
    assert bus.get_handler_count()["total"] == 0


@dataclass(frozen=True)
class HappenedElse(DomainEvent):
    pass


def reacting(class_name: str, place: str, event: type[DomainEvent] = Happened, name: str | None = None) -> Any:
    """A handler class as if it stood in that place."""

    async def _handle(self: Any, event: DomainEvent) -> None:
        pass

    handler: Any = type(class_name, (BaseEventHandler,), {"_handle": _handle, "__module__": place})
    return event_handler(event, name=name)(handler)


@pytest.mark.parametrize("event", [Happened, HappenedElse])
@pytest.mark.parametrize(
    ("first", "second", "known_as"),
    [
        (("SendMail", None), ("SendMail", None), "SendMail"),
        (("SendMail", "mail"), ("WriteMail", "mail"), "mail"),
        (("SendMail", None), ("WriteMail", "SendMail"), "SendMail"),
        (("WriteMail", "SendMail"), ("SendMail", None), "SendMail"),
    ],
)
def test_two_handlers_of_one_name_are_refused(
    first: tuple[str, str | None], second: tuple[str, str | None], known_as: str, event: type[DomainEvent]
) -> None:
    bus = CQRSBus()
    bus.register(reacting(first[0], "orders", name=first[1]))
    with pytest.raises(
        DuplicateHandlerError,
        match=rf"orders\.{first[0]} and users\.{second[0]} are both known as {known_as}, .*@event_handler",
    ):
        bus.register(reacting(second[0], "users", event, second[1]))
    assert bus.get_handler_count()["events"] == 1


def test_a_name_of_its_own_tells_a_handler_from_another() -> None:
    bus = CQRSBus()
    bus.register(reacting("SendMail", "orders"))
    bus.register(reacting("SendMail", "users", name="SendMailToUsers"))
    assert bus.reactions.names_of(Happened) == ("SendMail", "SendMailToUsers")


async def test_a_handler_needs_no_base() -> None:
    class Duck:
        async def _handle(self, command: Do) -> str:
            return f"quack {command.what}"

    bus = CQRSBus()
    bus.register_command_handler(Do, Duck())
    assert (await bus.execute_command(Do())).unwrap() == "quack this"
