"""Methods by which handlers return successes and raise refusals."""

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from app.core.cqrs.errors import OperationStatus
from app.core.cqrs.operation import current_message
from app.core.cqrs.results import OperationResult, returned_error

T = TypeVar("T")

Errors = Mapping[str, Any] | None
"""Field -> message."""


class Answers:
    """Success methods make a result, which the handler returns in place of a plain value.

    Refusal methods raise the error of their status themselves, so `return` before them is optional.
    """

    answers_with: ClassVar[type[OperationResult[Any]]] = OperationResult

    def ok(self, data: T) -> OperationResult[T]:
        """The operation succeeded; `data` is its answer."""
        return OperationResult.success(data)

    def created(self, data: T) -> OperationResult[T]:
        """The operation created something, which `data` describes."""
        return OperationResult.success(data, OperationStatus.CREATED)

    def accepted(self, data: T) -> OperationResult[T]:
        """The operation was accepted and will be completed later."""
        return OperationResult.success(data, OperationStatus.ACCEPTED)

    def no_content(self) -> OperationResult[Any]:
        """The operation succeeded and has no answer."""
        return OperationResult.success(None, OperationStatus.NO_CONTENT)

    def bad_request(self, message: str, errors: Errors = None) -> NoReturn:
        """The request makes no sense as it stands."""
        self._refuse(OperationStatus.BAD_REQUEST, errors, message)

    def unauthorized(self, message: str, errors: Errors = None) -> NoReturn:
        """The caller is not authenticated; HTTP calls this status 401 Unauthorized."""
        self._refuse(OperationStatus.UNAUTHENTICATED, errors, message)

    def forbidden(self, message: str, errors: Errors = None) -> NoReturn:
        """The caller is authenticated but not permitted to do this."""
        self._refuse(OperationStatus.FORBIDDEN, errors, message)

    def not_found(self, message: str, errors: Errors = None) -> NoReturn:
        """The requested thing does not exist."""
        self._refuse(OperationStatus.NOT_FOUND, errors, message)

    def conflict(self, message: str, errors: Errors = None) -> NoReturn:
        """The change conflicts with the stored state."""
        self._refuse(OperationStatus.CONFLICT, errors, message)

    def unprocessable_entity(self, message: str, errors: Errors = None) -> NoReturn:
        """Fields of the message are invalid in a way that only the handler can detect."""
        self._refuse(OperationStatus.VALIDATION_ERROR, errors, message)

    def internal_server_error(self, message: str, errors: Errors = None) -> NoReturn:
        """The operation failed on the server. The caller sees `message`: it must not contain internals."""
        self._refuse(OperationStatus.FAILED, errors, message)

    def service_unavailable(self, message: str, errors: Errors = None) -> NoReturn:
        """A dependency of this operation is unavailable at the moment."""
        self._refuse(OperationStatus.UNAVAILABLE, errors, message)

    def _refuse(self, status: OperationStatus, errors: Errors, message: str) -> NoReturn:
        result = self.answers_with.failure(status, errors, message)
        result._message = current_message()
        raise returned_error(result)
