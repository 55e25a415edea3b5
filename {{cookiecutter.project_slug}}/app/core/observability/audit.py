"""The audit log: one line for each command, with its caller and its outcome, under a logger of its own."""

from typing import Any

import structlog

from app.core.cqrs.errors import CQRSError, OperationStatus
from app.core.cqrs.messages import ICommand, aggregate_id_of
from app.core.cqrs.middleware import NextHandler, PipelineBehavior
from app.core.cqrs.results import OperationResult

audit_log = structlog.get_logger("audit")


class AuditTrail(PipelineBehavior[ICommand[Any]]):
    """Logs every command, but never its fields, because they may be secret.

    The line of an outermost command follows its commit or rollback. The line of a nested command comes earlier, and
    its changes are stored only with those of the outermost one: follow `causation_id` up to that. An outermost command
    that failed was rolled back, unless its `rollback_on` commits despite the error.
    """

    async def handle(self, message: ICommand[Any], next_handler: NextHandler) -> OperationResult[Any]:
        """Log the command, its caller and its outcome."""
        outcome = "cancelled"
        try:
            result = await next_handler()
            outcome = result.status.value
            return result
        except Exception as error:
            outcome = (error.status if isinstance(error, CQRSError) else OperationStatus.FAILED).value
            raise
        finally:
            audit_log.info(
                "command",
                message_name=message.get_command_name(),
                aggregate_id=aggregate_id_of(message),
                user_id=message.metadata.user_id,
                source=message.metadata.source,
                operation_id=message.metadata.operation_id,
                correlation_id=message.metadata.correlation_id,
                causation_id=message.metadata.causation_id,
                outcome=outcome,
            )
