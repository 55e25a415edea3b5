"""A query and a behaviour around it, for discovery to find."""

from dataclasses import dataclass
from typing import Any

from app.core.config import Settings
from app.core.cqrs import (
    BaseQueryHandler,
    IQuery,
    NextHandler,
    OperationResult,
    OperationStatus,
    PipelineBehavior,
    query_handler,
)


@dataclass
class Ring(IQuery[str]):
    """Is somebody there?"""


@query_handler(Ring)
class RingHandler(BaseQueryHandler[Ring, str]):
    """Never gets to answer."""

    async def _handle(self, query: Ring) -> str:
        return "Hello."


class AnsweringMachine(PipelineBehavior[Ring]):
    """Answers in place of the handler."""

    settings: Settings

    async def handle(self, message: Ring, next_handler: NextHandler) -> OperationResult[Any]:
        """Tell that nobody is at home."""
        sentence = f"Nobody is at home in {self.settings.environment}."
        return OperationResult.failure(OperationStatus.UNAVAILABLE, error_message=sentence)
