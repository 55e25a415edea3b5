from typing import Any

from app.core.cqrs import CQRSBus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_orders_handler import GetOrdersQuery
from app.read_models.pages import page_info
from tests.orders import cooking, placed
from tests.users import Person


async def found(cook: Person, **filters: Any) -> list[Any]:
    return [order.order_id for order in (await cook.query(GetOrdersQuery(**filters))).unwrap()]


async def test_filters_narrow_the_list_which_shows_what_was_just_done(bus: CQRSBus, cook: Person) -> None:
    luigi = await placed(bus, customer_phone="+1 (555) 010-9999")
    mario = await cooking(bus, cook, customer_name="Mario", customer_phone="555 0123")
    assert await found(cook) == [mario, luigi]
    assert await found(cook, customer_phone="15550109999") == [luigi]
    assert await found(cook, customer_phone=" 15550109999") == [luigi]  # what an address makes of a plain +
    assert await found(cook, customer_phone="555-01-23") == [mario]
    assert await found(cook, customer_phone="555-01-24") == []
    assert await found(cook, status="pending") == [luigi]
    assert await found(cook, status="cooking", customer_phone="5550123") == [mario]
    (await cook.command(CancelOrderCommand(luigi))).unwrap()
    assert await found(cook, status="pending") == []
    (cancelled,) = (await cook.query(GetOrdersQuery(status="cancelled"))).unwrap()
    assert (cancelled.order_id, cancelled.customer_name, cancelled.pizza_count) == (luigi, "Luigi", 2)
    assert str(cancelled.total_amount) == "35.28"


async def test_pages_add_up_to_the_whole_the_newest_first(bus: CQRSBus, cook: Person) -> None:
    ids = [await placed(bus) for _ in range(5)]
    pages = [await cook.query(GetOrdersQuery(page=page, page_size=2)) for page in (1, 2, 3, 4)]
    assert [order.order_id for page in pages for order in page.unwrap()] == ids[::-1]
    assert pages[1].pagination == page_info(page=2, page_size=2, total_count=5)
    filtered = await cook.query(GetOrdersQuery(status="cooking"))
    assert filtered.pagination and filtered.pagination["total_count"] == 0
