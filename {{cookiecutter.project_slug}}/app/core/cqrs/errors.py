"""How an operation ends: its status, and the errors by which it fails.

Raise the most specific error; the outermost dispatch turns it into a result.

CQRSError                           FAILED
├── BadRequestError                 BAD_REQUEST
├── ValidationError                 VALIDATION_ERROR
│   ├── CommandValidationError
│   └── QueryValidationError
├── AuthenticationError             UNAUTHENTICATED
├── AuthorizationError              FORBIDDEN
├── ResourceNotFoundError           NOT_FOUND
├── ConflictError                   CONFLICT
│   └── ConcurrencyError            retried by @retry_on_failure
├── BusinessRuleViolationError      BUSINESS_RULE
├── RateLimitedError                RATE_LIMITED
├── HandlerTimeoutError             TIMEOUT
├── ServiceUnavailableError         UNAVAILABLE
│   └── TransientError              retried by @retry_on_failure
└── ConfigurationError              wrong configuration: refused at the start, or FAILED with its own message
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
from enum import Enum
from typing import Any, ClassVar


class OperationStatus(Enum):
    """The status of an operation, from the mildest to the most severe; only the API maps it to an HTTP status."""

    SUCCESS = "success"
    CREATED = "created"
    ACCEPTED = "accepted"
    NO_CONTENT = "no_content"

    BAD_REQUEST = "bad_request"
    VALIDATION_ERROR = "validation_error"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNAUTHORIZED = FORBIDDEN  # an alias; HTTP uses this name for 401, which is UNAUTHENTICATED here
    NOT_FOUND = "not_found"
    BUSINESS_RULE = "business_rule"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"

    __hash__ = object.__hash__  # members are singletons, often hashed, and Enum's own `__hash__` is slow Python code

    @property
    def is_success(self) -> bool:
        """Whether the operation succeeded."""
        return self in SUCCESSES


SUCCESSES = frozenset(
    {OperationStatus.SUCCESS, OperationStatus.CREATED, OperationStatus.ACCEPTED, OperationStatus.NO_CONTENT}
)


ERROR_OF_STATUS: "dict[OperationStatus, type[CQRSError]]" = {}
"""Status of a failed result -> the error that it is raised as: the first class of that status."""


class CQRSError(Exception):
    """Base of the errors by which an operation fails.

    Args:
        message: one sentence for the caller, without internals.
        details: machine-readable data, such as field -> message.
    """

    status: ClassVar[OperationStatus] = OperationStatus.FAILED

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.operation_id: str | None = None
        self.must_roll_back = False
        """Whether the transaction has to be rolled back: set on database errors and failed results."""
        self.returned: object = None
        """The failed result that the error was made from."""
        self.kept_for: object = None
        """The command under whose idempotency key the failure is stored, if it is."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ERROR_OF_STATUS.setdefault(cls.status, cls)

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data, for logs and responses."""
        return {
            "error": type(self).__name__,
            "status": self.status.value,
            "message": self.message,
            "details": self.details,
            "operation_id": self.operation_id,
        }


ERROR_OF_STATUS[CQRSError.status] = CQRSError


class BadRequestError(CQRSError):
    """The request makes no sense as it stands."""

    status = OperationStatus.BAD_REQUEST


class ValidationError(CQRSError):
    """Fields of the message are invalid; `details` maps each of them to the reason."""

    status = OperationStatus.VALIDATION_ERROR


class CommandValidationError(ValidationError):
    """Fields of a command are invalid."""


class QueryValidationError(ValidationError):
    """Fields of a query are invalid."""


class AuthenticationError(CQRSError):
    """The caller is anonymous or unknown."""

    status = OperationStatus.UNAUTHENTICATED


class AuthorizationError(CQRSError):
    """The caller is authenticated but not permitted to do this."""

    status = OperationStatus.FORBIDDEN


class ResourceNotFoundError(CQRSError):
    """The requested thing does not exist, or this caller may not see it."""

    status = OperationStatus.NOT_FOUND


class ConflictError(CQRSError):
    """The change conflicts with the stored state."""

    status = OperationStatus.CONFLICT


class ConcurrencyError(ConflictError):
    """Another transaction changed the same data in the meantime (optimistic locking)."""


class BusinessRuleViolationError(CQRSError):
    """The request is well formed, but a rule of the domain forbids it."""

    status = OperationStatus.BUSINESS_RULE


class RateLimitedError(CQRSError):
    """Too many requests; `details["retry_after"]`, where given, is in seconds."""

    status = OperationStatus.RATE_LIMITED


class HandlerTimeoutError(CQRSError):
    """The deadline of the operation passed. A `TimeoutError` of the handler itself is a different error."""

    status = OperationStatus.TIMEOUT


class ServiceUnavailableError(CQRSError):
    """A dependency of this operation is unavailable; `details["retry_after"]`, where given, is in seconds."""

    status = OperationStatus.UNAVAILABLE


class TransientError(ServiceUnavailableError):
    """A temporary failure, which a retry may not meet: a deadlock, or a connection lost before work began."""


class ConfigurationError(CQRSError):
    """The program is configured wrongly; the message says what to change."""


class PolicyError(ConfigurationError):
    """A handler, policy or middleware is declared or registered in a way that cannot work."""


class UnstorableError(ConfigurationError, ValueError):
    """An event or an answer would change when it is stored and read again."""


class CircularEventsError(ConfigurationError):
    """Reactions raise events for each other in an endless loop."""


class DuplicateHandlerError(ConfigurationError):
    """Two handlers are registered for one command or query, or share one name in inbox and outbox."""


class HandlerNotFoundError(ConfigurationError):
    """No handler is registered for this message."""


class CommandHandlerNotFoundError(HandlerNotFoundError):
    """No handler is registered for this command."""


class QueryHandlerNotFoundError(HandlerNotFoundError):
    """No handler is registered for this query."""


class DiscoveryError(ConfigurationError):
    """A package contains modules, handlers or messages that cannot work; the error message lists them."""
