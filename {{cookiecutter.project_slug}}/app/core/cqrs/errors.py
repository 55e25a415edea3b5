"""The tree of errors. Raise the one that says what happened; the outermost dispatch turns it into a result.

CQRSError                           FAILED
├── BadRequestError                 BAD_REQUEST
├── ValidationError                 VALIDATION_ERROR
│   ├── CommandValidationError
│   └── QueryValidationError
├── AuthenticationError             UNAUTHENTICATED
├── AuthorizationError              FORBIDDEN
├── ResourceNotFoundError           NOT_FOUND
├── ConflictError                   CONFLICT
│   └── ConcurrencyError
├── BusinessRuleViolationError      BUSINESS_RULE
├── RateLimitedError                RATE_LIMITED
├── HandlerTimeoutError             TIMEOUT
├── ServiceUnavailableError         UNAVAILABLE
│   └── TransientError              tried again by @retry_on_failure
└── ConfigurationError              the program is put together wrongly: refused at the start, or FAILED and told
    ├── PolicyError
    ├── UnstorableError
    ├── CircularEventsError
    ├── DuplicateHandlerError
    ├── HandlerNotFoundError
    │   ├── CommandHandlerNotFoundError
    │   └── QueryHandlerNotFoundError
    └── DiscoveryError
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from app.core.cqrs.status import OperationStatus


class CQRSError(Exception):
    """An operation did not do what it was asked to do.

    Args:
        message: one sentence for the caller; never anything internal.
        details: what a program can use, such as field -> message.
    """

    status: ClassVar[OperationStatus] = OperationStatus.FAILED

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.operation_id: str | None = None
        self.must_roll_back = False
        """Whether the work done so far cannot be kept: set on database errors and failed results."""
        self.returned: object = None
        """The failed result that a handler returned instead of raising, if that is what happened."""

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data, for logs and answers."""
        return {
            "error": type(self).__name__,
            "status": self.status.value,
            "message": self.message,
            "details": self.details,
            "operation_id": self.operation_id,
        }


class BadRequestError(CQRSError):
    """The request makes no sense as it stands."""

    status = OperationStatus.BAD_REQUEST


class ValidationError(CQRSError):
    """Fields of the message are wrong; `details` tells which and why."""

    status = OperationStatus.VALIDATION_ERROR


class CommandValidationError(ValidationError):
    """Fields of a command are wrong."""


class QueryValidationError(ValidationError):
    """Fields of a query are wrong."""


class AuthenticationError(CQRSError):
    """Nobody, or nobody known, is asking."""

    status = OperationStatus.UNAUTHENTICATED


class AuthorizationError(CQRSError):
    """The caller is known and may not do this."""

    status = OperationStatus.FORBIDDEN


class ResourceNotFoundError(CQRSError):
    """The thing asked for does not exist, or not for this caller."""

    status = OperationStatus.NOT_FOUND


class ConflictError(CQRSError):
    """The change contradicts what is stored."""

    status = OperationStatus.CONFLICT


class ConcurrencyError(ConflictError):
    """Somebody else changed the same thing in the meantime."""


class BusinessRuleViolationError(CQRSError):
    """The request is well formed, but a rule of the domain forbids it."""

    status = OperationStatus.BUSINESS_RULE


class RateLimitedError(CQRSError):
    """Too many requests; `details["retry_after"]`, where given, is in seconds."""

    status = OperationStatus.RATE_LIMITED


class HandlerTimeoutError(CQRSError):
    """The deadline of the operation passed. A handler's own `TimeoutError` is not this."""

    status = OperationStatus.TIMEOUT


class ServiceUnavailableError(CQRSError):
    """Something this operation needs does not work now; `details["retry_after"]`, where given, is in seconds."""

    status = OperationStatus.UNAVAILABLE


class TransientError(ServiceUnavailableError):
    """It failed for a reason that a new attempt may not meet: a deadlock, a lost connection before work began."""


class ConfigurationError(CQRSError):
    """The program is put together wrongly; the message says what to change."""


class PolicyError(ConfigurationError):
    """A policy that cannot work was put on a handler."""


class UnstorableError(ConfigurationError, ValueError):
    """An event or an answer that would not come back from where it is stored as it is."""


class CircularEventsError(ConfigurationError):
    """Reactions raise events for each other without an end."""


class DuplicateHandlerError(ConfigurationError):
    """Two handlers claim one message."""


class HandlerNotFoundError(ConfigurationError):
    """Nobody handles this message."""


class CommandHandlerNotFoundError(HandlerNotFoundError):
    """Nobody handles this command."""


class QueryHandlerNotFoundError(HandlerNotFoundError):
    """Nobody handles this query."""


class DiscoveryError(ConfigurationError):
    """A package holds modules, handlers or messages that cannot work; the message lists them."""


ERROR_OF_STATUS: Mapping[OperationStatus, type[CQRSError]] = {
    error.status: error
    for error in (
        CQRSError,
        BadRequestError,
        ValidationError,
        AuthenticationError,
        AuthorizationError,
        ResourceNotFoundError,
        ConflictError,
        BusinessRuleViolationError,
        RateLimitedError,
        HandlerTimeoutError,
        ServiceUnavailableError,
    )
}
"""The error that a failed result of a status is raised as."""
