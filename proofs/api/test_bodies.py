"""Bodies and parameters of a team: what JSON has no word for is text, and what cannot be stored is refused."""

import json
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from fastapi import APIRouter, FastAPI, Query
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import Field, ValidationError
from sqlalchemy import Column, Date, MetaData, Numeric, Table, Uuid, insert, select
from sqlalchemy.schema import CreateTable, DropTable

from app.api.errors import answer_errors
from app.api.models import Amount, Body, Text
from app.api.routing import add_routes
from app.core.cqrs import CQRSError
from app.persistence.column_types import Json, Money, UtcDateTime
from app.persistence.engine.database import Database

ID = "6f0c1f4e-7c43-4d6e-9d0b-4a4d0d7a4b7a"
router = APIRouter()
made: list[Any] = []


class Kind(Enum):
    PRIVATE = "private"
    COMPANY = "company"


class Urgency(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Discount:
    percent: Decimal
    until: date
    rank: int = 0


class Line(Body):
    article: UUID
    count: Annotated[int, Field(ge=1)]
    price: Amount
    cost: Decimal = Decimal(0)


class InvoiceToCreate(Body):
    customer_id: UUID
    due: date
    total: Decimal
    at: datetime
    kind: Kind
    lines: list[Line]
    urgency: Urgency = Urgency.LOW
    opens: time | None = None
    grace: timedelta = timedelta()
    scan: bytes = b""
    tags: frozenset[Text] = frozenset()
    seen_by: set[UUID] = Field(default_factory=set)
    span: tuple[date, date] | None = None
    by_month: dict[int, Decimal] = Field(default_factory=dict)
    by_day: dict[date, Decimal] = Field(default_factory=dict)
    for_whom: UUID | int | None = None
    discount: Discount | None = None
    status: Literal["open", 1] = "open"
    note: str = ""
    ratio: float = 0.0
    is_final: bool = False
    number: int = 0
    extra: dict[str, Any] = Field(default_factory=dict)


@router.post("/invoices")
async def create_invoice(body: InvoiceToCreate) -> None:
    made.append(body)


@router.post("/lines")
async def create_lines(body: list[Line]) -> None:
    made.append(body)


@router.get("/invoices/{invoice_id}/{day}")
async def read_invoice(
    invoice_id: UUID,
    day: date,
    least: Decimal | None = None,
    since: datetime | None = None,
    grace: timedelta | None = None,
    opens: time | None = None,
    kind: Kind | None = None,
    number: int | None = None,
    ratio: float | None = None,
    ids: Annotated[list[int], Query()] = [],  # noqa: B006
) -> None:
    made.append([invoice_id, day, least, since, grace, opens, kind, number, ratio, ids])


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    add_routes(app, router)
    answer_errors(app)
    made.clear()
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        yield client


def invoice(**fields: Any) -> dict[str, Any]:
    line = {"article": ID, "count": 1, "price": "12.99"}
    valid = {"customer_id": ID, "due": "2026-01-31", "total": "12.99", "at": "2026-01-01T12:00:00+01:00"}
    return {**valid, "kind": "private", "lines": [line], **fields}


async def sent(client: AsyncClient, **fields: Any) -> Response:
    content = json.dumps(invoice(**fields))
    return await client.post("/invoices", content=content, headers={"Content-Type": "application/json"})


GOOD: list[tuple[str, Any, Any]] = [
    ("customer_id", ID, UUID(ID)),
    ("due", "2024-02-29", date(2024, 2, 29)),
    ("total", "0.10", Decimal("0.10")),
    ("total", "-99999999999999999.99", Decimal("-99999999999999999.99")),
    ("total", 12.99, Decimal("12.99")),
    ("total", 12, Decimal(12)),
    ("at", "2026-01-01T12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
    ("at", "2026-01-01T12:00:00-05:00", datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=-5)))),
    ("kind", "company", Kind.COMPANY),
    ("urgency", 2, Urgency.HIGH),
    ("opens", "08:30", time(8, 30)),
    ("grace", "P14D", timedelta(days=14)),
    ("scan", "aGVsbG8=", b"hello"),
    ("tags", ["a", "b"], frozenset({"a", "b"})),
    ("seen_by", [ID], {UUID(ID)}),
    ("span", ["2026-01-01", "2026-02-01"], (date(2026, 1, 1), date(2026, 2, 1))),
    ("by_month", {"1": "1.50"}, {1: Decimal("1.50")}),
    ("by_day", {"2026-01-01": "1.50"}, {date(2026, 1, 1): Decimal("1.50")}),
    ("for_whom", 7, 7),
    ("for_whom", ID, UUID(ID)),
    ("discount", {"percent": "2.5", "until": "2026-01-01"}, Discount(Decimal("2.5"), date(2026, 1, 1))),
    ("status", 1, 1),
    ("number", 2**63 - 1, 2**63 - 1),
    ("number", 7.0, 7),
    ("extra", {"a": [1, None, "b", {"c": True}]}, {"a": [1, None, "b", {"c": True}]}),
    ("lines", [{"article": ID, "count": 1, "price": "1"}], [Line(article=UUID(ID), count=1, price=Decimal(1))]),
]


@pytest.mark.parametrize(("field", "json_value", "value"), GOOD)
async def test_what_json_has_no_word_for_is_read_from_text(
    client: AsyncClient, field: str, json_value: Any, value: Any
) -> None:
    answer = await sent(client, **{field: json_value})
    assert answer.status_code == 200, answer.text
    assert getattr(made[0], field) == value
    assert type(getattr(made[0], field)) is type(value)


BAD: list[tuple[str, Any]] = [
    ("customer_id", 1),
    ("customer_id", "me"),
    ("due", 0),
    ("due", "86400"),
    ("due", "2026-02-30"),
    ("total", True),
    ("total", "NaN"),
    ("total", "1e99999"),
    ("total", "1e3"),
    ("total", "1_000"),
    ("total", "+1"),
    ("total", "01"),
    ("total", "١٢"),
    ("total", "9" * 21),
    ("total", "0." + "1" * 21),
    ("total", 0.12345678901234567),
    ("total", math.inf),
    ("at", "2026-01-01T12:00:00"),
    ("at", "1700000000"),
    ("at", 1700000000),
    ("at", "0001-01-01T00:00:00+14:00"),
    ("at", "9999-12-31T23:59:59-14:00"),
    ("kind", "PRIVATE"),
    ("urgency", "1"),
    ("urgency", True),
    ("opens", "08:30:00+02:00"),
    ("opens", 3600),
    ("grace", 3600),
    ("grace", "P999999999D"),
    ("scan", "?"),
    ("tags", "ab"),
    ("tags", ["a\0"]),
    ("seen_by", ["1"]),
    ("span", ["2026-01-01"]),
    ("by_month", {"x": "1"}),
    ("by_month", {"1": "1", "01": "2"}),
    ("by_month", {"99999999999999999999": "1"}),
    ("by_day", {"86400": "1"}),
    ("for_whom", True),
    ("discount", {"percent": "1e50", "until": "2026-01-01"}),
    ("discount", {"percent": 2, "until": "86400"}),
    ("discount", {"percent": "2", "until": "2026-01-01", "rank": "1"}),
    ("status", True),
    ("note", "a\0b"),
    ("note", "\ud800"),
    ("note", 1),
    ("ratio", "0.5"),
    ("ratio", math.nan),
    ("ratio", math.inf),
    ("is_final", 1),
    ("is_final", "true"),
    ("number", "1"),
    ("number", True),
    ("number", 1.5),
    ("number", 2**63),
    ("extra", {"a\0": 1}),
    ("extra", {"a": "\0"}),
    ("extra", {"a": [2**64]}),
    ("extra", {"\ud800": 1}),
    ("extra", {"a": math.nan}),
    ("extra", {"a": json.loads("[" * 60 + "]" * 60)}),
    ("lines", [{"article": ID, "count": 0, "price": "1"}]),
    ("lines", [{"article": ID, "count": 1, "price": "NaN"}]),
    ("lines", [{"article": ID, "count": 1, "price": "1", "more": 1}]),
    ("nobody_knows_it", 1),
]


@pytest.mark.parametrize(("field", "json_value"), BAD)
async def test_what_is_something_else_or_cannot_be_stored_is_refused_by_name(
    client: AsyncClient, field: str, json_value: Any
) -> None:
    answer = await sent(client, **{field: json_value})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert all(name.split(".")[0] == field for name in answer.json()["errors"]), answer.text
    assert made == []


async def test_each_place_is_named(client: AsyncClient) -> None:
    line = {"article": ID, "count": 1, "price": "1"}
    lines = [line, {**line, "cost": "1e50"}]
    answer = await sent(client, at="2026-01-01T12:00:00", lines=lines, by_month={"1": "1e50"})
    errors = answer.json()["errors"]
    assert errors == {
        "at": "must say its zone, such as 2026-01-31T12:00:00Z",
        "lines.1.cost": "must have at most 20 digits",
        "by_month.1": "must have at most 20 digits",
    }


async def test_a_list_of_bodies_is_read_alike(client: AsyncClient) -> None:
    answer = await client.post("/lines", json=[{"article": ID, "count": 1, "price": "2.50"}])
    assert (answer.status_code, made) == (200, [[Line(article=UUID(ID), count=1, price=Decimal("2.50"))]])


@pytest.mark.parametrize("body", [[], "text", 1, None])
async def test_a_body_that_is_no_object_is_refused(client: AsyncClient, body: Any) -> None:
    assert (await client.post("/invoices", json=body)).status_code == 422


QUERIES: list[tuple[str, str]] = [
    ("least", "1e99999"),
    ("least", "NaN"),
    ("least", "9" * 21),
    ("since", "2026-01-01T12:00:00"),
    ("since", "1700000000"),
    ("since", "0001-01-01T00:00:00%2B14:00"),
    ("grace", "P999999999D"),
    ("opens", "08:30:00Z"),
    ("kind", "x"),
    ("number", "9223372036854775808"),
    ("ratio", "nan"),
    ("ratio", "inf"),
    ("ids", "9223372036854775808"),
]


@pytest.mark.parametrize(("name", "text"), QUERIES)
async def test_parameters_are_held_to_the_same(client: AsyncClient, name: str, text: str) -> None:
    answer = await client.get(f"/invoices/{ID}/2026-01-01?{name}={text}")
    assert (answer.status_code, made) == (422, []), answer.text
    assert all(field.split(".")[0] == name for field in answer.json()["errors"])


async def test_parameters_are_read_from_text(client: AsyncClient) -> None:
    query = "least=0.10&since=2026-01-01T12:00:00Z&grace=P1D&opens=08:30&kind=company&number=7&ratio=0.5&ids=1&ids=2"
    answer = await client.get(f"/invoices/{ID}/2026-01-01?{query}")
    assert answer.status_code == 200, answer.text
    since = datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = [UUID(ID), date(2026, 1, 1), Decimal("0.10"), since, timedelta(days=1), time(8, 30), Kind.COMPANY, 7, 0.5]
    assert made == [[*found, [1, 2]]]
    assert (await client.get(f"/invoices/{ID}/86400")).status_code == 422


def test_made_in_python_nothing_is_converted() -> None:
    line = Line(article=UUID(ID), count=1, price=Decimal(1))
    assert line.article == UUID(ID)
    with pytest.raises(ValidationError):
        Line(article=ID, count=1, price=Decimal(1))  # type: ignore[arg-type]


def test_a_body_is_read_from_json_and_from_objects_alike() -> None:
    kept = {"article": ID, "count": 1, "price": "1.5"}
    line = Line(article=UUID(ID), count=1, price=Decimal("1.5"))
    assert Line.model_validate(kept) == Line.model_validate_json(json.dumps(kept)) == line
    assert Line.model_validate({"article": UUID(ID), "count": 1, "price": Decimal("1.5")}) == line


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "The message is not JSON."),
        ("[" * 100_000, "The message is not JSON."),
        (b"\xff", "The message is not JSON."),
        ("[]", "The message is not valid: message: "),
        ('{"article": 1}', "article: UUID input should be a string"),
        (f'{{"article": "{ID}", "count": 1, "price": "1", "cost": "1e50"}}', "cost: must have at most 20 digits."),
    ],
)
def test_a_message_is_held_to_the_same(text: str | bytes, sentence: str) -> None:
    with pytest.raises(CQRSError) as raised:
        Line.read(text)
    assert sentence in raised.value.message
    assert Line.read(b'{"article": "%s", "count": 1, "price": "1"}' % ID.encode()).count == 1


async def test_what_is_taken_can_be_stored(database: Database, client: AsyncClient) -> None:
    stored = Table(
        "field_invoices",
        MetaData(),
        Column("id", Uuid, primary_key=True),
        Column("due", Date),
        Column("at", UtcDateTime),
        Column("total", Money),
        Column("exact", Numeric(40, 20, asdecimal=True)),
        Column("extra", Json),
    )
    at_most = {"due": "9999-12-31", "at": "0001-01-01T00:00:00Z", "total": "92233720368547758.07"}
    assert (await sent(client, **at_most, extra={"é": [1, "\u2028"]})).status_code == 200
    body = made[0]
    async with database.writing() as session:
        await session.execute(CreateTable(stored))
        row = {"id": body.customer_id, "due": body.due, "at": body.at, "total": body.total, "extra": body.extra}
        await session.execute(insert(stored).values(row | {"exact": Decimal("0.5")}))
        found = (await session.execute(select(stored))).mappings().one()
        assert {**row, "exact": Decimal("0.5")} == dict(found)
        await session.execute(DropTable(stored))
        await session.commit()
