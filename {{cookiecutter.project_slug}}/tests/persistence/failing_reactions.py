"""A reaction that fails for as long as it is told to, and remembers what reached it."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.user_events import UserEvent

PATIENCE_SECONDS = 60.0


@dataclass
class Telephone:
    """What the reaction needs; it may be out of order."""

    broken_for: set[str] = field(default_factory=set)
    reached: list[tuple[UUID, str]] = field(default_factory=list)
    rang: asyncio.Event = field(default_factory=asyncio.Event)

    def repaired(self, *, but_for: str = "") -> None:
        """As new, or out of order for one kind of news."""
        self.broken_for = {but_for}
        self.reached.clear()
        self.rang = asyncio.Event()

    def reached_about(self, user_id: UUID) -> list[str]:
        """What was told about a user, in this order."""
        return [event_type for about, event_type in self.reached if about == user_id]

    async def until_reached_about(self, user_id: UUID, *news: str) -> None:
        """Wait until just this was told about a user."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.reached_about(user_id) != list(news):
                self.rang.clear()
                await self.rang.wait()


telephone = Telephone()


@event_handler(UserEvent)
class CallSomebodyHandler(BaseEventHandler[UserEvent]):
    """Tells what happened by telephone."""

    async def _handle(self, event: UserEvent) -> None:
        if event.event_type in telephone.broken_for:
            raise ConnectionError("The telephone\nis broken.")
        telephone.reached.append((event.user_id, event.event_type))
        telephone.rang.set()
