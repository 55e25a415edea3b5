"""The results of operations: `CommandResult` and `QueryResult`, both derived from `OperationResult`."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, Self

from typing_extensions import TypedDict, TypeVar  # pydantic refuses that of `typing` before Python 3.12

from app.core.cqrs.errors import ERROR_OF_STATUS, ConcurrencyError, CQRSError, OperationStatus, TransientError
from app.core.cqrs.messages import Message
from app.core.cqrs.operation import Operation, OperationMetadata

T_co = TypeVar("T_co", covariant=True, default=Any)


class Pagination(TypedDict):
    """The position of a page in the whole list."""

    page: int
    page_size: int
    total_count: int
    total_pages: int
    has_next: bool
    has_previous: bool


class CacheInfo(TypedDict):
    """The origin of the answer of a cached query; `level` names where it was cached, such as memory."""

    hit: bool
    key: str | None
    ttl_seconds: float | None
    level: str | None


NOT_CACHED = CacheInfo(hit=False, key=None, ttl_seconds=None, level=None)
HIT_BY_HOOK = CacheInfo(hit=True, key=None, ttl_seconds=None, level=None)


class Outcome(NamedTuple):
    """All parts of a result except its data; plain successes share one instance."""

    status: OperationStatus = OperationStatus.SUCCESS
    errors: Mapping[str, Any] = {}
    error_message: str | None = None
    affected_entities: Any = None
    pagination: Pagination | None = None
    cache_info: CacheInfo | None = None
    is_replay: bool = False
    is_temporary: bool = False
    """Whether a failure is one that a new attempt may not meet."""
    is_kept: bool = False
    """Whether a failure is stored under the idempotency key of the command."""
    is_partial: bool = False
    """Whether a hook failed, so that its part is missing: such an answer is not cached."""

    @classmethod
    def of(cls, error: CQRSError, message: Message) -> Self:
        """The outcome of a message that failed with this error."""
        is_temporary = isinstance(error, tuple(TEMPORARY.values())) and not getattr(error, "is_final", False)
        is_kept = error.kept_for is message
        return cls(error.status, error.details, error.message, is_temporary=is_temporary, is_kept=is_kept)


SUCCEEDED = Outcome()
UNEXPECTED = "Something went wrong on our side. Please tell us the operation id: {}."
TEMPORARY = {one.status: one for one in (TransientError, ConcurrencyError)}


class Kept:
    """Cached data that `read` deserialises on first access.

    `json` is what external callers are sent; None: it must be serialised from the objects.
    """

    __slots__ = ("json", "read")

    def __init__(self, json: bytes | None, read: Callable[[], Any]) -> None:
        self.json, self.read = json, read

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self.read(),)


def _itself(data: Any) -> Any:
    return data


class OperationResult(Operation, Generic[T_co]):
    """The outcome of an operation; immutable. Create one with `success` or `failure`.

    It has no `__init__`, because calling one would cost more than the whole pipeline around it.
    """

    __slots__ = ("_data", "_outcome")

    _data: T_co | None
    _message: Message | None
    _outcome: Outcome

    @classmethod
    def of(cls, data: Any, message: Message | None, outcome: Outcome) -> Self:
        """Create a result from all its parts."""
        result = cls()
        result._data, result._message, result._outcome = data, message, outcome
        return result

    @classmethod
    def success(cls, data: Any = None, status: OperationStatus = OperationStatus.SUCCESS) -> Self:
        """Create a successful result with this data; ValueError if `status` is a failure."""
        if not status.is_success:
            raise ValueError(f"{status.name} is not a success: use failure().")
        return cls.of(data, None, Outcome(status))

    @classmethod
    def failure(
        cls, status: OperationStatus, errors: Mapping[str, Any] | None = None, error_message: str | None = None
    ) -> Self:
        """Create a failed result; ValueError if `status` is a success.

        Args:
            status: the status of a failure.
            errors: the error messages by field.
            error_message: one sentence for the caller.
        """
        if status.is_success:
            raise ValueError(f"{status.name} is not a failure: use success().")
        return cls.of(None, None, Outcome(status, dict(errors or {}), error_message))

    @classmethod
    def validation_error(cls, errors: Mapping[str, Any], message: str = "Some fields are not valid.") -> Self:
        """Create a failed result with the error messages of the invalid fields."""
        return cls.failure(OperationStatus.VALIDATION_ERROR, errors, message)

    @classmethod
    def not_found(cls, message: str) -> Self:
        """Create a failed result for a resource that does not exist."""
        return cls.failure(OperationStatus.NOT_FOUND, error_message=message)

    @property
    def data(self) -> T_co | None:
        """The answer; None if the operation failed or returned nothing."""
        data = self._data
        if type(data) is Kept:
            data = self._data = data.read()
        return data

    @property
    def kept_json(self) -> bytes | None:
        """The cached JSON of the answer, as callers are sent it, if `data` was not accessed yet; else None."""
        data = self._data
        return data.json if type(data) is Kept else None

    @property
    def status(self) -> OperationStatus:
        """The status of the operation."""
        return self._outcome.status

    @property
    def errors(self) -> dict[str, Any]:
        """The error messages of a failed operation, by field."""
        return dict(self._outcome.errors)

    @property
    def error_message(self) -> str | None:
        """One sentence for the caller of a failed operation."""
        return self._outcome.error_message

    @property
    def metadata(self) -> OperationMetadata | None:
        """The metadata of the message that was answered; None for a result created by `success` or `failure`."""
        return None if self._message is None else self._message.metadata

    @property
    def is_success(self) -> bool:
        """Whether the operation succeeded."""
        return self._outcome.status.is_success

    @property
    def is_failure(self) -> bool:
        """Whether the operation failed."""
        return not self.is_success

    @property
    def is_replay(self) -> bool:
        """Whether this is the stored answer to an earlier use of the idempotency key, and nothing was executed."""
        return self._outcome.is_replay

    def unwrap(self) -> T_co:
        """The data of a successful operation; raises the CQRSError of the status of a failed one."""
        if not self._outcome.status.is_success:
            raise self.to_error()
        return self.data  # type: ignore[return-value]  # None is an answer too where T allows it

    def with_outcome(self, **changes: Any) -> Self:
        """A copy of the result with another status, pagination, ..."""
        return self.of(self._data, self._message, self._outcome._replace(**changes))

    def to_error(self) -> CQRSError:
        """Convert a failed result to the error of its status."""
        status = self._outcome.status
        kind = TEMPORARY.get(status) if self._outcome.is_temporary else None
        error = (kind or ERROR_OF_STATUS[status])(
            self._outcome.error_message or f"The operation ended as {status.value}.", details=self._outcome.errors
        )
        error.operation_id = None if self._message is None else self._message.metadata.operation_id
        error.returned = self
        return error

    @property
    def _shown(self) -> Outcome:
        return self._outcome._replace(is_temporary=False, is_kept=False, is_partial=False)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.data, self._shown) == (other.data, other._shown)

    __hash__ = None  # type: ignore[assignment]  # its data may not be hashable

    def __repr__(self) -> str:
        said = f"data={self.data!r}" if self.is_success else f"{self.error_message!r}, errors={self.errors!r}"
        return f"{type(self).__name__}({self.status.name}, {said})"


class CommandResult(OperationResult[T_co]):
    """The answer to a command."""

    __slots__ = ()

    @property
    def affected_entities(self) -> Any:
        """The changed entities, as returned by the handler's `_get_affected_entities`."""
        return self._outcome.affected_entities


class QueryResult(OperationResult[T_co]):
    """The answer to a query."""

    __slots__ = ()

    @property
    def pagination(self) -> Pagination | None:
        """The position of the page in the whole list, as returned by the handler's `_get_pagination_info`."""
        return self._outcome.pagination

    @property
    def cache_info(self) -> CacheInfo | None:
        """The origin of the answer; set in every successful result of a handler with `@cached_query`."""
        return self._outcome.cache_info


def returned_error(result: OperationResult[Any]) -> CQRSError:
    """Convert a failed result that a handler returned to an error, which always rolls back."""
    error = result.to_error()
    error.must_roll_back = True
    return error


def as_result(answer: Any, result_type: type[OperationResult[Any]], message: Message) -> OperationResult[Any]:
    """Convert the return value of a handler, plain or a result, to the result of this message."""
    if isinstance(answer, OperationResult):
        return result_type.of(answer._data, message, answer._outcome)
    result = result_type()
    result._data, result._message, result._outcome = answer, message, SUCCEEDED
    return result
