"""Reports bugs to the `ErrorReports` port, in addition to the log."""

from typing import Any

from app.core.cqrs.errors import CQRSError, OperationStatus
from app.core.cqrs.messages import name_of
from app.core.cqrs.middleware import NextHandler, PipelineBehavior
from app.core.cqrs.operation import current, parent_of
from app.core.cqrs.ports import ErrorReports
from app.core.cqrs.results import OperationResult


class ReportFailures(PipelineBehavior[Any]):
    """Reports operations that end as FAILED. Refusals and temporary failures are not bugs.

    A nested operation is not reported, because the outer one may handle its failure.
    """

    reports: ErrorReports

    async def handle(self, message: Any, next_handler: NextHandler) -> OperationResult[Any]:
        """Report the failure of the operation, if it is a bug."""
        try:
            result = await next_handler()
        except Exception as error:
            self._report(message, error)
            raise
        if result.is_failure:
            self._report(message, result.to_error())
        return result

    def _report(self, message: Any, error: Exception) -> None:
        status = error.status if isinstance(error, CQRSError) else OperationStatus.FAILED
        dispatch = current.get()
        if status is OperationStatus.FAILED and (dispatch is None or parent_of(dispatch) is None):
            self.reports.report(error, name_of(message), message.metadata)
