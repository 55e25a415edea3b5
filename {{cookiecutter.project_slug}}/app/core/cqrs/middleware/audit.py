"""Who ordered what, and how it ended: one line for each command, in a log of its own."""

from typing import Any

import structlog

from app.core.cqrs.errors import CQRSError
from app.core.cqrs.messages import ICommand, aggregate_id_of
from app.core.cqrs.middleware.behavior import NextHandler, PipelineBehavior
from app.core.cqrs.results import OperationResult
from app.core.cqrs.status import OperationStatus

audit_log = structlog.get_logger("audit")


class AuditTrail(PipelineBehavior[ICommand[Any]]):
    """Stands around every command. It never logs fields: they may be secret.

    The line comes after the commit. Of a command that another one sent, `causation_id` names that one: if it failed,
    both were undone.
    """

    async def handle(self, message: ICommand[Any], next_handler: NextHandler) -> OperationResult[Any]:
        """Log the command, its caller, and how it ended."""
        outcome = "cancelled"
        try:
            result = await next_handler()
            outcome = result.status.value
            return result
        except CQRSError as error:
            outcome = error.status.value
            raise
        except Exception:
            outcome = OperationStatus.FAILED.value
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
