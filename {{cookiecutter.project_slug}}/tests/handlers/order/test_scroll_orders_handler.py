from typing import Any
from uuid import UUID

import pytest

from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.scroll_orders_handler import ScrollOrdersQuery
from tests.orders import placed
from tests.users import People, Person


async def test_stretches_add_up_although_others_order_meanwhile(bus: CQRSBus, cook: Person) -> None:
    ids = [await placed(bus, customer_phone="555 0123") for _ in range(5)]
    seen: list[UUID] = []
    cursor: str | None = None
    while True:
        query = ScrollOrdersQuery(customer_phone="555 0123", cursor=cursor, limit=2)
        stretch = (await cook.query(query)).unwrap()
        seen += [order.order_id for order in stretch.items]
        if stretch.next_cursor is None:
            break
        cursor = stretch.next_cursor
        await placed(bus, customer_phone="555 0123")
        await placed(bus)
    assert seen == ids[::-1]


async def test_there_is_no_cursor_at_the_very_end(bus: CQRSBus, cook: Person) -> None:
    assert (await cook.query(ScrollOrdersQuery())).unwrap().model_dump() == {"items": (), "next_cursor": None}
    await placed(bus)
    await placed(bus)
    assert (await cook.query(ScrollOrdersQuery(limit=2))).unwrap().next_cursor is None
    assert (await cook.query(ScrollOrdersQuery(limit=1))).unwrap().next_cursor is not None


async def test_a_cursor_of_other_filters_is_refused(bus: CQRSBus, cook: Person) -> None:
    for _ in range(2):
        await placed(bus)
    cursor = (await cook.query(ScrollOrdersQuery(limit=1))).unwrap().next_cursor
    refused = await cook.query(ScrollOrdersQuery(status="pending", cursor=cursor))
    assert (refused.status, refused.errors) == (
        OperationStatus.VALIDATION_ERROR,
        {"cursor": "is not one of this list"},
    )


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"cursor": "ü"}, "cursor"),
        ({"cursor": "x" * 1001}, "cursor"),
        ({"status": "burnt"}, "status"),
    ],
)
def test_what_is_not_valid_is_named(fields: dict[str, Any], named: str) -> None:
    assert list(ScrollOrdersQuery(**fields).validate()) == [named]


async def test_members_may_not(people: People) -> None:
    assert (await (await people.member()).query(ScrollOrdersQuery())).status is OperationStatus.FORBIDDEN
