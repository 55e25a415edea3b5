from uuid import UUID

import pytest

from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order import scroll_orders_handler
from app.handlers.order.scroll_orders_handler import ScrollOrdersQuery
from app.read_models.order_summaries import NEWEST_FIRST
from tests.orders import placed
from tests.users import Person


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


async def test_there_is_no_cursor_at_the_very_end_and_it_is_good_for_its_list_only(bus: CQRSBus, cook: Person) -> None:
    assert (await cook.query(ScrollOrdersQuery())).unwrap().model_dump() == {"items": (), "next_cursor": None}
    await placed(bus)
    await placed(bus)
    assert (await cook.query(ScrollOrdersQuery(limit=2))).unwrap().next_cursor is None
    cursor = (await cook.query(ScrollOrdersQuery(limit=1))).unwrap().next_cursor
    assert cursor is not None
    refused = await cook.query(ScrollOrdersQuery(status="pending", cursor=cursor))
    assert (refused.status, refused.errors) == (
        OperationStatus.VALIDATION_ERROR,
        {"cursor": "is not one of this list"},
    )


async def test_a_cursor_of_another_order_is_refused(
    bus: CQRSBus, cook: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await placed(bus)
    cursor = (await cook.query(ScrollOrdersQuery(limit=1))).unwrap().next_cursor
    monkeypatch.setattr(scroll_orders_handler, "NEWEST_FIRST", NEWEST_FIRST[1:])
    assert (await cook.query(ScrollOrdersQuery(cursor=cursor))).errors == {"cursor": "is not one of this list"}
