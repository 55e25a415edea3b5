from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, Field, PlainValidator, TypeAdapter, ValidationError, computed_field

from app.core.canonical_json import canonical_json
from app.core.cqrs import CommandResult, OperationStatus, QueryResult, UnstorableError
from app.core.cqrs.results import CacheInfo
from app.core.cqrs.serialization import AnswerCodec, answer_codec
from tests.core.cqrs.support import Ask, Do


class Model(BaseModel):
    number: int


class Named(BaseModel):
    user_id: UUID = Field(alias="userId")
    name: str = Field("", validation_alias="read", serialization_alias="written")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def initial(self) -> str:
        return self.name[:1]


class Strict(Named, extra="forbid", serialize_by_alias=True):
    pass


@dataclass
class Plain:
    number: Decimal


def test_messages_as_canonical_json() -> None:
    assert canonical_json(Do("x")) == b'{"owner":null,"what":"x"}'
    assert canonical_json(Ask("x", 2), ("page",)) == b'{"page":2}'
    assert canonical_json(Ask(), ()) == b"{}"
    assert canonical_json(Ask("x", 2), ("about", "page")) == canonical_json(Ask("x", 2), ("page", "about"))


def test_half_a_surrogate_pair_is_written_too() -> None:
    assert canonical_json(Do("\ud800")) == b'{"owner":null,"what":"\\ud800"}'


class Text(str):
    """Nothing that JSON knows by its type."""

    __slots__ = ()


@pytest.mark.parametrize("what", ["x", "ü", '"', ""])
@pytest.mark.parametrize("page", [1, 0, True, None, 10**30])
def test_plain_values_are_written_like_all_others(what: str, page: Any) -> None:
    assert canonical_json(Ask(what, page)) == canonical_json(Ask(Text(what), page))


@pytest.mark.parametrize(
    ("answer_type", "data"),
    [
        (int, 7),
        (str, "ü"),
        (UUID, UUID(int=7)),
        (Model, Model(number=1)),
        (list[Plain], [Plain(Decimal("1.10"))]),
        (dict[str, datetime], {"at": datetime(2026, 1, 1, tzinfo=UTC)}),
        (int | None, None),
        (type(None), None),
        (Any, {"a": [1]}),
        (bytes, b"raw"),
        (Named, Named.model_validate({"userId": UUID(int=7), "read": "Ada"})),
        (Strict, Strict.model_validate({"userId": UUID(int=7), "read": "Ada"})),
        (tuple[float, ...], (0.1 + 0.2, 1e300)),
        (datetime, datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))),
    ],
    ids=str,
)
@pytest.mark.parametrize("status", ["SUCCESS", "CREATED"])
def test_an_answer_comes_back_as_it_went(answer_type: Any, data: Any, status: str) -> None:
    codec, message = answer_codec(answer_type), Do()
    result = CommandResult[Any].success(data, OperationStatus[status])
    read = codec.read(codec.write(result), CommandResult, message)
    assert (read.data, type(read.data), read.status) == (data, type(data), OperationStatus[status])
    assert read.metadata is message.metadata


def test_what_goes_with_an_answer() -> None:
    codec = answer_codec(str)
    changed = CommandResult[str].success("x").with_outcome(affected_entities={"id": UUID(int=7)})
    assert codec.read(codec.write(changed), CommandResult, Do()).affected_entities == {"id": str(UUID(int=7))}  # type: ignore[attr-defined]


def test_an_answer_of_another_type_is_not_written() -> None:
    with pytest.raises(UnstorableError, match="int would not come back"):
        answer_codec(int).write(QueryResult[Any].success("seven"))


@pytest.mark.parametrize(
    "stored", [b"", b"x", b"[]\n1", b'["success",null]\n1', b"null\n1", b"{}\n1", b'["no",null,null]\n1']
)
def test_what_is_no_answer_is_a_value_error(stored: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        answer_codec(int).read(stored, QueryResult, Ask())


def test_a_codec_is_made_once() -> None:
    assert answer_codec(list[int]) is answer_codec(list[int])


class Book(BaseModel):
    name: str


class BookOfToday(BaseModel):
    name: str
    is_lent: bool = False


BookOfToday.__name__ = BookOfToday.__qualname__ = "Book"


def test_what_was_kept_in_an_older_shape_is_unreadable() -> None:
    kept = AnswerCodec(Book).keep(QueryResult[Any].success(Book(name="Emma")))
    assert AnswerCodec(Book).kept(kept, None).data == Book(name="Emma")
    with pytest.raises(ValueError, match="seal"):
        AnswerCodec(BookOfToday).kept(kept, None)


class Item(BaseModel):
    unit_price: int


class ItemOfToday(BaseModel):
    unit_price: int = Field(serialization_alias="unitPrice")


ItemOfToday.__name__ = ItemOfToday.__qualname__ = "Item"


def checked(check: Callable[[Any], Any]) -> Any:
    return Annotated[int, AfterValidator(check)]


def checked_dataclass(check: Callable[[Any], Any]) -> Any:
    return make_dataclass("Checked", [("number", int)], namespace={"__post_init__": check})


@pytest.mark.parametrize(
    ("old", "new", "data"),
    [
        (Item, ItemOfToday, Item(unit_price=3)),
        (int, checked(lambda number: number), 3),
        (checked(lambda number: abs(number)), checked(lambda number: max(number, 1)), 3),
        (checked(lambda number: max(number, 1)), checked(lambda number: max(number, 2)), 3),
        (checked_dataclass(lambda _: None), checked_dataclass(lambda one: one.number + 1), {"number": 3}),
    ],
)
def test_what_was_kept_with_another_alias_or_validator_is_unreadable(old: Any, new: Any, data: Any) -> None:
    kept = AnswerCodec(old).keep(QueryResult[Any].success(TypeAdapter(old).validate_python(data)))
    assert AnswerCodec(old).kept(kept, None).is_success
    with pytest.raises(ValueError, match="seal"):
        AnswerCodec(new).kept(kept, None)


def test_what_a_validator_no_longer_accepts_is_told(logs: list[MutableMapping[str, Any]]) -> None:
    def open_until_closed(number: int) -> int:
        assert not closed, "It is closed."
        return number

    closed: list[bool] = []
    codec = AnswerCodec(checked(open_until_closed))
    kept = codec.kept(
        codec.keep(QueryResult[Any].success(3)), None, CacheInfo(hit=True, key="k", ttl_seconds=1, level="")
    )
    closed.append(True)
    with pytest.raises(ValidationError):
        _ = kept.data
    assert [(entry["event"], entry["key"]) for entry in logs] == [("cache_entry_unreadable", "k")]


def test_what_was_damaged_is_unreadable() -> None:
    kept = AnswerCodec(Book).keep(QueryResult[Any].success(Book(name="Emma")))
    with pytest.raises(ValueError, match="seal"):
        AnswerCodec(Book).kept(kept.replace(b"Emma", b"Erma"), None)


def test_a_type_without_a_schema_is_kept_too() -> None:
    codec = AnswerCodec(Annotated[int, PlainValidator(int)] | Callable[[], int])
    assert codec.kept(codec.keep(QueryResult[Any].success(7)), None).data == 7


def refuse(value: int) -> int:
    raise ValueError("never")


def test_what_comes_back_as_something_unreadable_is_not_kept() -> None:
    with pytest.raises(UnstorableError, match="would not come back"):
        AnswerCodec(Annotated[int, AfterValidator(refuse)]).keep(QueryResult[Any].success(7))
