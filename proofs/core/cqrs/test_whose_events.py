"""An event is private unless its class says otherwise, and one of another service is never made here."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from app.core.cqrs import (
    AggregateRoot,
    BaseCommandHandler,
    BaseEventHandler,
    ConfigurationError,
    CQRSBus,
    DomainEvent,
    EventSourcedAggregate,
    ICommand,
    OperationStatus,
    PolicyError,
    command_handler,
    event_handler,
)


@dataclass(frozen=True, kw_only=True)
class Told(DomainEvent):
    """For everybody."""

    public: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Heard(DomainEvent):
    """Of another service."""

    event_source = "warehouse"
    event_type = "Heard"


class Thing(AggregateRoot):
    """Raises whatever it is given."""

    id = 1


class Story(EventSourcedAggregate):
    """Remembers what it applied."""

    aggregate_type = "Story"

    def __init__(self, id: Any) -> None:
        super().__init__(id)
        self.applied: list[DomainEvent] = []

    def apply(self, event: DomainEvent) -> None:
        """Remember it."""
        self.applied.append(event)


@dataclass
class Retell(ICommand[None]):
    """Publish an event of another service."""


@command_handler(Retell)
class RetellHandler(BaseCommandHandler[Retell, None]):
    """Does what it must not."""

    async def _handle(self, command: Retell) -> None:
        await self.bus.publish_event(Heard())


def test_an_event_is_private_unless_its_class_says_otherwise() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Plain(DomainEvent):
        """Says nothing."""

    assert (DomainEvent.public, Plain.public, Told.public) == (False, False, True)


def test_what_derives_from_a_public_event_says_for_itself() -> None:
    with pytest.raises(TypeError, match="Derived derives from an event that other services are told of: say whether"):

        @dataclass(frozen=True, kw_only=True)
        class Derived(Told):
            """Says nothing."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Kept(Told):
        """Says no."""

        public: ClassVar[bool] = False

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Further(Kept):
        """Derives from what is private."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Public(Kept):
        """Says yes, and is made twice, because it has slots."""

        public: ClassVar[bool] = True

    assert (Kept.public, Further.public, Public.public) == (False, False, True)


def test_an_event_of_another_service_is_not_told_of_by_this_one() -> None:
    with pytest.raises(TypeError, match="Retold has an event_source, so it is an event of another service"):

        class Retold(DomainEvent):
            event_source = "warehouse"
            event_type = "Told"
            public = True

    with pytest.raises(TypeError, match="Nobodys has an event_source"):

        class Nobodys(DomainEvent):
            event_source = " "
            event_type = "Nobodys"

    with pytest.raises(TypeError, match='HeardToo has an event_source, so .* add event_type = "HeardToo", or'):
        type("HeardToo", (Heard,), {})

    with pytest.raises(TypeError, match=r"Unsaid has a from_foreign\(\), but no event_source"):

        class Unsaid(DomainEvent):
            @classmethod
            def from_foreign(cls, message: dict[str, Any]) -> dict[str, Any] | None:
                return None


async def test_an_event_of_another_service_cannot_be_made_to_happen() -> None:
    refusal = "Heard is an event of warehouse, which this service hears of and cannot make happen"
    thing, story, bus = Thing(), Story(1), CQRSBus()
    for raising in (thing.raise_event, story.raise_event):
        with pytest.raises(ConfigurationError, match=refusal):
            raising(Heard())
    assert (thing.version, thing.take_events(), story.version, story.applied) == (0, [], 0, [])
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=refusal):
            await bus.publish_event(Heard())
    bus.register(RetellHandler)
    result = await bus.execute_command(Retell())
    assert result.status is OperationStatus.FAILED


def test_a_reaction_in_the_transaction_of_another_service_is_refused() -> None:
    @event_handler(Heard, in_transaction=True)
    class TooClose(BaseEventHandler[Heard]):
        async def _handle(self, event: Heard) -> None: ...

    with pytest.raises(PolicyError, match="TooClose cannot run in the transaction of Heard, which happens in another"):
        CQRSBus().register(TooClose)
