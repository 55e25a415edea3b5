"""Use cases that go wrong in every way, with secrets in all they say."""

from dataclasses import dataclass

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    ConflictError,
    DomainEvent,
    ICommand,
    command_handler,
    event_handler,
    transactional,
)

SECRET = "hunter2"


@dataclass(frozen=True)
class Divide(ICommand[int]):
    """Divide by nothing."""

    secret: str = SECRET


@dataclass(frozen=True)
class Refuse(ICommand[int]):
    """Refuse."""

    secret: str = SECRET


@dataclass(frozen=True)
class Announce(ICommand[None]):
    """Announce what nobody can take."""

    secret: str = SECRET


@dataclass(frozen=True)
class Announced(DomainEvent):
    """It was."""

    secret: str = SECRET


@command_handler(Divide)
class DivideHandler(BaseCommandHandler[Divide, int]):
    """Has a bug."""

    async def _handle(self, command: Divide) -> int:
        return _divide(command.secret)


def _divide(password: str) -> int:
    raise ZeroDivisionError(f"There is nothing to divide {password} by.")


@command_handler(Refuse)
class RefuseHandler(BaseCommandHandler[Refuse, int]):
    """Keeps a rule."""

    async def _handle(self, command: Refuse) -> int:
        raise ConflictError("No.")


@command_handler(Announce)
@transactional()
class AnnounceHandler(BaseCommandHandler[Announce, None]):
    """Raises an event."""

    async def _handle(self, command: Announce) -> None:
        await self.bus.publish_event(Announced())


@event_handler(Announced)
class TakeAnnouncementHandler(BaseEventHandler[Announced]):
    """Never can."""

    async def _handle(self, event: Announced) -> None:
        self.logger.info("announcement_refused")
        raise ZeroDivisionError(f"There is nothing to divide {event.secret} by.")
