"""A behaviour of an event."""

from typing import Any

from app.core.cqrs import NextHandler, OperationResult, PipelineBehavior
from app.domain.user_events import UserCreated


class CountRegistrations(PipelineBehavior[UserCreated]):
    """Counts nothing."""

    async def handle(self, message: UserCreated, next_handler: NextHandler) -> OperationResult[Any]:
        """Nobody calls this."""
        return await next_handler()
