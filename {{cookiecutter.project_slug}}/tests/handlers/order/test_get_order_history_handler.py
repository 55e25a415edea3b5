import pytest

from app.core.cqrs import CQRSBus
from app.handlers.order import get_order_history_handler
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_order_history_handler import GetOrderHistoryQuery
from tests.orders import MARGHERITA, PEPPERONI, ZUCCA, let_order_before, placed
from tests.users import People, Person


async def test_it_has_the_order_that_was_just_placed(bus: CQRSBus, people: People, cook: Person) -> None:
    ada = await people.member()
    nothing = (await ada.query(GetOrderHistoryQuery(ada.id))).unwrap()
    assert (nothing.orders, nothing.total_orders, str(nothing.total_spent)) == ((), 0, "0.00")

    first = await placed(ada)
    second = await placed(ada, pizza_items=(PEPPERONI,))
    third = await placed(ada, pizza_items=(MARGHERITA, MARGHERITA, ZUCCA))
    await placed(bus)
    (await cook.command(CancelOrderCommand(third))).unwrap()

    answered = await ada.query(GetOrderHistoryQuery(ada.id, page_size=2))
    history = answered.unwrap()
    assert [order.order_id for order in history.orders] == [third, second]
    assert answered.pagination and answered.pagination["total_count"] == 3
    assert (history.total_orders, str(history.total_spent)) == (2, "57.57")
    assert [(one.pizza_id, one.name, one.quantity) for one in history.favourite_pizzas] == [
        ("pepperoni", "Pepperoni", 2),
        ("margherita", "Margherita", 1),
    ]
    (last,) = (await ada.query(GetOrderHistoryQuery(ada.id, page=2, page_size=2))).unwrap().orders
    assert last.order_id == first


async def test_its_sums_are_those_of_its_orders_though_one_is_placed_meanwhile(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await people.member()
    await placed(ada)
    for read in ("spent_by", "favourites_of"):
        let_order_before(get_order_history_handler, read, ada, monkeypatch)
    history = (await ada.query(GetOrderHistoryQuery(ada.id))).unwrap()
    assert history.total_orders == len(history.orders) == 1
    assert sum(order.total_amount for order in history.orders) == history.total_spent
    assert sum(favourite.quantity for favourite in history.favourite_pizzas) == 2
