"""Kinds of values that somebody could declare in an event or an answer, and what makes some of them."""

# each class is one kind, and its name says which

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, make_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    SkipValidation,
    computed_field,
)
from typing_extensions import TypedDict

from app.core.cqrs import DomainEvent

T = TypeVar("T")
Customer = NewType("Customer", UUID)


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Step(IntEnum):
    FIRST = 1
    SECOND = 2


class Mood(StrEnum):
    GOOD = "good"


class Rights(IntFlag):
    READ = 1
    WRITE = 2


class Place(Enum):
    HOME = (1, 2)


class Odd(Enum):
    NUMBER = Decimal(1)
    TEXT = "1"


@dataclass(frozen=True)
class Line:
    item: str
    price: Decimal
    size: Size = Size.SMALL


@dataclass(frozen=True)
class Method:
    label: str


@dataclass(frozen=True)
class ByCard(Method):
    last4: str


@dataclass(frozen=True)
class Percent:
    value: int


@dataclass(frozen=True)
class Absolute:
    value: int


@dataclass(frozen=True)
class Weight:
    grams: int
    kind: Literal["weight"] = "weight"


@dataclass(frozen=True)
class Length:
    metres: int
    kind: Literal["length"] = "length"


@dataclass(frozen=True)
class Excluded:
    a: int
    b: Annotated[int, Field(exclude=True)] = 0


@dataclass(frozen=True)
class Made:
    a: int
    b: UUID = field(init=False, default_factory=lambda: UUID(int=1))


@dataclass
class Doubled:
    a: int
    b: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.b = 2 * self.a


@dataclass
class Initial:
    a: int
    b: InitVar[int]


@dataclass(frozen=True)
class Box(Generic[T]):
    inside: T


@dataclass(frozen=True)
class Tree:
    value: int
    children: "tuple[Tree, ...]" = ()


class Model(BaseModel):
    a: int
    b: str | None = None


class Dated(BaseModel):
    a: int = Field(alias="firstOf")

    @computed_field  # type: ignore[prop-decorator]  # mypy has no words for it
    @property
    def twice(self) -> int:
        return 2 * self.a


class Hidden(BaseModel):
    a: int
    _b: int = PrivateAttr(default=0)


class Typed(TypedDict):
    a: int


class Point(NamedTuple):
    x: int
    y: float


def _hidden(value: int) -> Hidden:
    made = Hidden(a=value)
    made._b = value
    return made


ints, texts = st.integers(), st.text()
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=9, minutes=30))])
moments = st.datetimes(timezones=zones)
lines = st.builds(Line, texts, st.decimals(), st.sampled_from(Size))
json_values = st.recursive(
    st.none() | st.booleans() | ints | st.floats() | texts, lambda one: st.lists(one) | st.dictionaries(texts, one)
)
KINDS: Mapping[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "str": (str, st.text(st.characters(codec=None))),
    "int": (int, ints),
    "bool": (bool, st.booleans()),
    "float": (float, st.floats()),
    "Decimal": (Decimal, st.decimals()),
    "bytes": (bytes, st.binary()),
    "UUID": (UUID, st.uuids()),
    "NewType": (Customer, st.uuids()),
    "date": (date, st.dates()),
    "datetime": (datetime, moments | st.datetimes()),
    "time": (time, st.times()),
    "timedelta": (timedelta, st.timedeltas()),
    "None": (None, st.none()),
    "str | None": (str | None, st.none() | texts),
    "int | str": (int | str, ints | texts),
    "int | bool": (int | bool, ints | st.booleans()),
    "UUID | datetime": (UUID | datetime, st.uuids() | moments),
    "Enum": (Size, st.sampled_from(Size)),
    "IntEnum": (Step, st.sampled_from(Step)),
    "StrEnum": (Mood, st.sampled_from(Mood)),
    "IntFlag": (Rights, st.sampled_from([Rights.READ, Rights.WRITE, Rights.READ | Rights.WRITE])),
    "Literal": (Literal["a", 1], st.sampled_from(["a", 1])),
    "dataclass": (Line, lines),
    "tuple of dataclasses": (tuple[Line, ...], st.lists(lines).map(tuple)),
    "tuple": (tuple[int, str], st.tuples(ints, texts)),
    "NamedTuple": (Point, st.builds(Point, ints, st.floats(allow_nan=False))),
    "list": (list[datetime], st.lists(moments)),
    "Sequence": (Sequence[int], st.lists(ints) | st.lists(ints).map(tuple)),
    "set": (set[int], st.sets(ints)),
    "frozenset of dataclasses": (frozenset[Line], st.frozensets(st.builds(Line, texts, st.decimals(allow_nan=False)))),
    "deque": (deque[int], st.lists(ints).map(deque)),
    "dict by text": (dict[str, int], st.dictionaries(texts, ints)),
    "dict by number": (dict[int, str], st.dictionaries(ints, texts)),
    "dict by float": (dict[float, str], st.dictionaries(st.floats(), texts)),
    "dict by date": (dict[date, int], st.dictionaries(st.dates(), ints)),
    "dict by Enum": (dict[Size, int], st.dictionaries(st.sampled_from(Size), ints)),
    "nested": (
        dict[str, list[tuple[date, Decimal]]],
        st.dictionaries(texts, st.lists(st.tuples(st.dates(), st.decimals()))),
    ),
    "TypedDict": (Typed, st.fixed_dictionaries({"a": ints})),
    "model": (Model, st.builds(Model, a=ints, b=st.none() | texts)),
    "model with alias and computed field": (Dated, st.builds(Dated, firstOf=ints)),
    "model with private attribute": (Hidden, ints.map(_hidden)),
    "generic": (Box[int], st.builds(Box, ints)),
    "recursive": (
        Tree,
        st.recursive(st.builds(Tree, ints), lambda t: st.builds(Tree, ints, st.tuples(t, t)), max_leaves=4),
    ),
    "computed in __post_init__": (Doubled, st.builds(Doubled, ints)),
    "tagged classes": (Weight | Length, st.builds(Weight, ints) | st.builds(Length, ints)),
    "tagged by a discriminator": (
        Annotated[Weight | Length, Field(discriminator="kind")],
        st.builds(Weight, ints) | st.builds(Length, ints),
    ),
    "unlike classes": (Line | Percent, lines | st.builds(Percent, ints)),
    "JsonValue": (JsonValue, json_values),
    "lossy serializer": (Annotated[Decimal, PlainSerializer(round)], st.decimals()),
    "faithful serializer": (Annotated[Decimal, PlainSerializer(str)], st.decimals(allow_nan=False)),
    "Path": (Path, st.just(Path("/tmp/a"))),
    "IPv4Address": (IPv4Address, st.ip_addresses(v=4)),
    "complex": (complex, st.complex_numbers()),
    # From here on each is refused at the start.
    "Percent | Absolute": (Percent | Absolute, st.builds(Percent, ints) | st.builds(Absolute, ints)),
    "date | datetime": (date | datetime, st.dates() | moments),
    "str | UUID": (str | UUID, texts | st.uuids()),
    "float | int": (float | int, st.floats() | ints),
    "Decimal | int": (Decimal | int, st.decimals() | ints),
    "Decimal | float": (Decimal | float, st.decimals() | st.floats()),
    "bytes | str": (bytes | str, st.binary() | texts),
    "list | tuple": (list[int] | tuple[int, ...], st.lists(ints)),
    "dict | dataclass": (dict[str, int] | Percent, st.builds(Percent, ints)),
    "alike Literal and str": (Literal["a"] | UUID, st.just("a") | st.uuids()),
    "Any": (Any, ints),
    "object": (object, ints),
    "list without a type": (list, st.lists(ints)),
    "generic without a type": (Box, st.builds(Box, ints)),
    "SkipValidation": (SkipValidation[int], ints),
    "excluded": (Excluded, st.builds(Excluded, ints, ints)),
    "init=False with a factory": (Made, st.builds(Made, ints)),
    "InitVar": (Initial, st.builds(Initial, ints, ints)),
    "keys that are tuples": (dict[tuple[int, int], int], st.dictionaries(st.tuples(ints, ints), ints)),
    "keys that are two things": (dict[int | str, int], st.dictionaries(ints | texts, ints)),
    "Enum by tuple": (Place, st.sampled_from(Place)),
    "Enum of values alike as JSON": (Odd, st.sampled_from(Odd)),
    "SecretStr": (SecretStr, texts.map(SecretStr)),
    "OrderedDict": (OrderedDict[str, int], st.dictionaries(texts, ints).map(OrderedDict)),
    "Callable": (Callable[[], int], st.just(int)),
    "class": (type[int], st.just(bool)),
    "a class of nobody's": (DomainEvent.__class__, st.just(DomainEvent)),
}
REFUSED = list(KINDS)[list(KINDS).index("Percent | Absolute") :]


def event_of(kind: str) -> type[DomainEvent]:
    """A class of events with a field `value` of this kind."""
    name = f"Told{list(KINDS).index(kind)}"
    return make_dataclass(name, [("value", KINDS[kind][0])], bases=(DomainEvent,), frozen=True, kw_only=True)


def likeness(value: Any) -> Any:
    """What is equal for values that are equal and of equal type all through."""
    kind = type(value)
    match value:
        case datetime():
            return kind, value.tzinfo is None, value.astimezone(UTC) if value.tzinfo else value
        case BaseModel():
            return kind, likeness(vars(value)), likeness(value.__pydantic_private__)
        case dict():
            return kind, frozenset((likeness(key), likeness(one)) for key, one in value.items())
        case set() | frozenset():
            return kind, frozenset(map(likeness, value))
        case list() | tuple() | deque():
            return kind, tuple(map(likeness, value))
    own = getattr(value, "__dataclass_fields__", None)
    return (kind, value) if own is None else (kind, tuple(likeness(getattr(value, name)) for name in own))
