"""How an operation ended."""

from enum import Enum


class OperationStatus(Enum):
    """The outcome of an operation; the API maps each one to an HTTP status, and nothing else does."""

    SUCCESS = "success"
    CREATED = "created"
    ACCEPTED = "accepted"
    NO_CONTENT = "no_content"

    BAD_REQUEST = "bad_request"
    VALIDATION_ERROR = "validation_error"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNAUTHORIZED = FORBIDDEN  # another name for it, which is HTTP's for the 401 of UNAUTHENTICATED
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    BUSINESS_RULE = "business_rule"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"

    @classmethod
    def _missing_(cls, value: object) -> "OperationStatus | None":
        return cls.FORBIDDEN if value == "unauthorized" else None  # what it was called before

    __hash__ = object.__hash__  # members are singletons; Enum's own is Python code, and this one is looked up often

    @property
    def is_success(self) -> bool:
        """Whether the operation did what it was asked to do."""
        return self in SUCCESSES


SUCCESSES = frozenset(
    {OperationStatus.SUCCESS, OperationStatus.CREATED, OperationStatus.ACCEPTED, OperationStatus.NO_CONTENT}
)
