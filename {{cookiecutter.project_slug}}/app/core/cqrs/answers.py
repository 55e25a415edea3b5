"""Results by name, for handlers."""

from collections.abc import Mapping
from typing import Any, TypeVar

from app.core.cqrs.results import OperationResult
from app.core.cqrs.status import OperationStatus

T = TypeVar("T")

Errors = Mapping[str, Any] | None
"""Field -> message."""


class Answers:
    """What a handler may return in place of a plain value; or it raises an error of the tree."""

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

    def bad_request(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """The request makes no sense as it stands."""
        return OperationResult.failure(OperationStatus.BAD_REQUEST, errors, message)

    def unauthorized(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """Nobody known is asking; HTTP's 401 of that name."""
        return OperationResult.failure(OperationStatus.UNAUTHENTICATED, errors, message)

    def forbidden(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """The caller is known and may not do this."""
        return OperationResult.failure(OperationStatus.UNAUTHORIZED, errors, message)

    def not_found(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """The thing asked for does not exist."""
        return OperationResult.failure(OperationStatus.NOT_FOUND, errors, message)

    def conflict(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """The change contradicts what is stored."""
        return OperationResult.failure(OperationStatus.CONFLICT, errors, message)

    def unprocessable_entity(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """Fields of the message are wrong, as only the handler could tell."""
        return OperationResult.failure(OperationStatus.VALIDATION_ERROR, errors, message)

    def internal_server_error(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """It failed on our side. The caller sees the message: tell nothing internal."""
        return OperationResult.failure(OperationStatus.FAILED, errors, message)

    def service_unavailable(self, message: str, errors: Errors = None) -> OperationResult[Any]:
        """Something this operation needs does not work now."""
        return OperationResult.failure(OperationStatus.UNAVAILABLE, errors, message)
