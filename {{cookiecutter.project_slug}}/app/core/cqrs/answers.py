"""Results by name, for handlers."""

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from app.core.cqrs.dispatch import current_message
from app.core.cqrs.results import OperationResult, returned_error
from app.core.cqrs.status import OperationStatus

T = TypeVar("T")

Errors = Mapping[str, Any] | None
"""Field -> message."""


class Answers:
    """Successes are returned in place of a plain value. Refusals raise the error of their status, returned or not."""

    answers_with: ClassVar[type[OperationResult[Any]]] = OperationResult

    def ok(self, data: T) -> OperationResult[T]:
        """It is done; here is the answer."""
        return OperationResult.success(data)

    def created(self, data: T) -> OperationResult[T]:
        """Something new exists; the answer tells what."""
        return OperationResult.success(data, OperationStatus.CREATED)

    def accepted(self, data: T) -> OperationResult[T]:
        """It will be done later."""
        return OperationResult.success(data, OperationStatus.ACCEPTED)

    def no_content(self) -> OperationResult[Any]:
        """It is done; there is nothing to say."""
        return OperationResult.success(None, OperationStatus.NO_CONTENT)

    def bad_request(self, message: str, errors: Errors = None) -> NoReturn:
        """The request makes no sense as it stands."""
        self._refuse(OperationStatus.BAD_REQUEST, errors, message)

    def unauthorized(self, message: str, errors: Errors = None) -> NoReturn:
        """Nobody known is asking; HTTP's 401 of that name."""
        self._refuse(OperationStatus.UNAUTHENTICATED, errors, message)

    def forbidden(self, message: str, errors: Errors = None) -> NoReturn:
        """The caller is known and may not do this."""
        self._refuse(OperationStatus.FORBIDDEN, errors, message)

    def not_found(self, message: str, errors: Errors = None) -> NoReturn:
        """The thing asked for does not exist."""
        self._refuse(OperationStatus.NOT_FOUND, errors, message)

    def conflict(self, message: str, errors: Errors = None) -> NoReturn:
        """The change contradicts what is stored."""
        self._refuse(OperationStatus.CONFLICT, errors, message)

    def unprocessable_entity(self, message: str, errors: Errors = None) -> NoReturn:
        """Fields of the message are wrong, as only the handler could tell."""
        self._refuse(OperationStatus.VALIDATION_ERROR, errors, message)

    def internal_server_error(self, message: str, errors: Errors = None) -> NoReturn:
        """It failed on our side. The caller sees the message: tell nothing internal."""
        self._refuse(OperationStatus.FAILED, errors, message)

    def service_unavailable(self, message: str, errors: Errors = None) -> NoReturn:
        """Something this operation needs does not work now."""
        self._refuse(OperationStatus.UNAVAILABLE, errors, message)

    def _refuse(self, status: OperationStatus, errors: Errors, message: str) -> NoReturn:
        result = self.answers_with.failure(status, errors, message)
        result._message = current_message()
        raise returned_error(result)
