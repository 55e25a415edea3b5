"""The status of a finished operation."""

from enum import Enum


class OperationStatus(Enum):
    """The status of an operation; only the API maps it to an HTTP status."""

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
    CONFLICT = "conflict"
    BUSINESS_RULE = "business_rule"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"

    @classmethod
    def _missing_(cls, value: object) -> "OperationStatus | None":
        return cls.FORBIDDEN if value == "unauthorized" else None  # its former value

    __hash__ = object.__hash__  # members are singletons, often hashed, and Enum's own `__hash__` is slow Python code

    @property
    def is_success(self) -> bool:
        """Whether the operation succeeded."""
        return self in SUCCESSES


SUCCESSES = frozenset(
    {OperationStatus.SUCCESS, OperationStatus.CREATED, OperationStatus.ACCEPTED, OperationStatus.NO_CONTENT}
)
