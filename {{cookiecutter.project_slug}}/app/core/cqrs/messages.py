"""Messages of the bus: commands and queries. `R` is the type of the answer."""

from collections.abc import Awaitable, Iterator
from copy import copy
from typing import Any, ClassVar, Generic, Self

from typing_extensions import Format, TypeVar, get_annotations

from app.core.cqrs.operation import OperationMetadata, current, enclosing, parent_of
from app.core.generics import type_argument

R_co = TypeVar("R_co", covariant=True, default=Any)


class Message:
    """Base class of commands, queries and event records.

    A dataclass never calls the `__init__` of its base class, and may be frozen or have slots. So the metadata is
    created on first access, in a slot beside the fields.
    """

    __slots__ = ("__weakref__", "_metadata", "_sender")

    _metadata: OperationMetadata
    _sender: Any  # the bus of the request that sent it, if one did

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "metadata" in get_annotations(cls, format=Format.FORWARDREF) or "metadata" in cls.__dict__:
            raise TypeError(
                f"{cls.__name__} has a field called metadata, which every message has already: name it otherwise."
            )

    @property
    def metadata(self) -> OperationMetadata:
        """The caller, time and cause of the message; created on first access, with assignable fields.

        Metadata that is created while another message is being handled has the same caller and correlation id,
        and the operation id of that message as its causation id.
        """
        try:
            return self._metadata
        except AttributeError:
            metadata = self._made_metadata()
            metadata.correlation_id = metadata.correlation_id or metadata.operation_id
            object.__setattr__(self, "_metadata", metadata)
            return metadata

    def _made_metadata(self) -> OperationMetadata:
        innermost = cause = current.get()
        for operation in () if innermost is None else enclosing(innermost):
            if operation._message is self:  # the message is already being handled: the operation around it is the cause
                cause = parent_of(operation)
        metadata = OperationMetadata() if cause is None else cause._message.metadata.caused()
        clock = None if innermost is None or innermost._bus is None else innermost._bus.ports.clock
        if clock is not None:
            metadata.timestamp = clock.now()
        return metadata

    def validate(self) -> "dict[str, Any] | Awaitable[dict[str, Any]] | Any":
        """Map each invalid field to an error message; empty if the message is valid.

        A pure function of the fields. It may be `async def`, and may return an object with `errors`.
        """
        return {}

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self).restored, (dict(_state(self)), getattr(self, "_metadata", None))

    @classmethod
    def restored(cls, state: dict[str, Any], metadata: OperationMetadata | None) -> Self:
        """Create a message with these fields and a copy of this metadata; used by `copy` and `pickle`."""
        message = cls.__new__(cls)
        for name, value in state.items():
            object.__setattr__(message, name, value)
        if metadata is not None:
            object.__setattr__(message, "_metadata", copy(metadata))
        return message


def _state(message: Message) -> Iterator[tuple[str, Any]]:
    yield from getattr(message, "__dict__", {}).items()
    for cls in type(message).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in Message.__slots__ and hasattr(message, name):
                yield name, getattr(message, name)


def name_on_record(cls: type[Any], attribute: str) -> None:
    """Set the stored name of a class to its class name, unless the class sets another."""
    refuse_fields(cls, attribute)
    if attribute not in cls.__dict__:
        setattr(cls, attribute, cls.__name__)


def refuse_fields(cls: type[Any], *attributes: str) -> None:
    """Raise a TypeError for a field that hides an attribute of the class, which has one value for all instances."""
    declared = get_annotations(cls, format=Format.FORWARDREF)
    for attribute in attributes:
        if "ClassVar" not in str(declared.get(attribute, ClassVar)):
            told = f"{cls.__name__} has a field called {attribute}, which is an attribute of the class"
            raise TypeError(f"{told}: rename the field, or annotate it as ClassVar.")


class ICommand(Message, Generic[R_co]):
    """A request to change state, answered with an `R`: an id or a DTO, never an aggregate."""

    __slots__ = ()

    command_name: ClassVar[str] = "ICommand"
    """The name in stored idempotency keys: the class's name, unless set, so that the class can be renamed."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name_on_record(cls, "command_name")

    @classmethod
    def answer_type(cls) -> type[R_co]:
        """The declared type of the answer; Any when none was declared."""
        return type_argument(cls, ICommand)  # type: ignore[no-any-return]

    def get_command_name(self) -> str:
        """The name of the command in logs and spans."""
        return self.command_name

    def get_aggregate_id(self) -> str | None:
        """The id of the aggregate this command is about, for logs, spans and audit; None if it has none."""
        return None


class IQuery(Message, Generic[R_co]):
    """A request for data, answered with an `R`; it changes nothing."""

    __slots__ = ()

    query_name: ClassVar[str] = "IQuery"
    """The name in cache keys: the class's name, unless the class sets another."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name_on_record(cls, "query_name")

    @classmethod
    def answer_type(cls) -> type[R_co]:
        """The declared type of the answer; Any when none was declared."""
        return type_argument(cls, IQuery)  # type: ignore[no-any-return]

    def get_query_name(self) -> str:
        """The name of the query in logs and spans."""
        return self.query_name

    def get_cache_key(self) -> str | None:
        """The part of the cache key that identifies this query within its class; None: its fields."""
        return None

    def get_cache_ttl(self) -> int | None:
        """The time to live of the cached answer, in seconds; overrides the decorator's. None: the decorator's."""
        return None


def aggregate_id_of(message: object) -> str | None:
    """The id of the aggregate that a message is about, for logs and spans; None if it names none."""
    named = getattr(message, "get_aggregate_id", None)
    try:
        aggregate_id = None if named is None else named()
    except Exception:  # its fields may not be validated yet
        return None
    return None if aggregate_id is None else str(aggregate_id)


def name_of(message: object) -> str:
    """The name of a message in logs and spans."""
    match message:
        case ICommand():
            return message.get_command_name()
        case IQuery():
            return message.get_query_name()
        case _:
            return getattr(message, "event_type", None) or type(message).__name__
