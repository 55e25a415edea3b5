"""Who ordered what, and how it ended: one line for each command, in a log of its own."""

from typing import Any

import structlog

from app.core.cqrs.messages import ICommand
from app.core.cqrs.middleware.behavior import NextHandler, PipelineBehavior
from app.core.cqrs.results import OperationResult

audit_log = structlog.get_logger("audit")


class AuditTrail(PipelineBehavior[ICommand[Any]]):
    """Stands around every command. It never logs fields: they may be secret."""

    async def handle(self, message: ICommand[Any], next_handler: NextHandler) -> OperationResult[Any]:
        """Log the command, its caller, and how it ended."""
        outcome = "error"
        try:
            result = await next_handler()
            outcome = result.status.value
            return result
        finally:
            audit_log.info(
                "command",
                message_name=message.get_command_name(),
                aggregate_id=message.get_aggregate_id(),
                user_id=message.metadata.user_id,
                operation_id=message.metadata.operation_id,
                source=message.metadata.source,
                outcome=outcome,
            )
