import asyncio
from decimal import Decimal

import pytest

from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import CQRSBus, OperationStatus
from app.core.cqrs.testing import failing_commits
from app.domain.menu import Changes, PizzaWish
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from app.persistence.access import SYSTEM
from app.persistence.order_tables import order_lines, orders
from app.persistence.tables import idempotency_keys
from tests.orders import MARGHERITA, ZUCCA, completed, happened, place_order, placed, staff, stored_order
from tests.rows import events_of, rows_of
from tests.users import People, Person


async def test_anybody_orders_and_is_told_what_it_costs_and_when_it_is_ready(
    service: RunningService, bus: CQRSBus
) -> None:
    result = await bus.execute_command(place_order())
    answer = result.unwrap()
    assert result.status is OperationStatus.CREATED
    assert answer.total_amount == Decimal("12.99") + Decimal("20.79") + Decimal("1.50")
    assert answer.order_id.version == 4

    order = await stored_order(service, answer.order_id)
    assert (order.status, order.payment_method, order.customer_user_id) == ("pending", "cash", None)
    assert (order.total, order.estimated_ready_at) == (answer.total_amount, answer.estimated_ready_time)
    assert (order.estimated_ready_at - order.placed_at).total_seconds() == (15 + 18) * 60
    lines = await rows_of(service, order_lines)
    assert [(line.pizza_id, line.size, line.price) for line in lines] == [
        ("margherita", "medium", Decimal("12.99")),
        ("pepperoni", "large", Decimal("22.29")),
    ]
    assert (lines[1].toppings, lines[1].special_instructions) == (["extra_cheese"], "well done")

    by_the_service = place_order()
    by_the_service.metadata.user_id = SYSTEM
    order_id = (await bus.execute_command(by_the_service)).unwrap().order_id
    assert (await stored_order(service, order_id)).customer_user_id is None


async def test_the_event_says_it_all(service: RunningService, people: People) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    (event,) = await events_of(service, "Order", order_id)
    assert (event.event_type, event.aggregate_type, event.version) == ("OrderPlaced", "Order", 1)
    assert (event.payload["customer_user_id"], event.payload["total"]) == (str(ada.id), "35.28")
    assert event.payload["pizzas"][1] == {
        "pizza_id": "pepperoni",
        "name": "Pepperoni",
        "size": "large",
        "toppings": ["extra_cheese"],
        "special_instructions": "well done",
        "price": "22.29",
        "preparation_minutes": 18,
    }


async def test_what_is_not_on_the_menu_is_refused(service: RunningService, cook: Person) -> None:
    (await cook.command(UpdateMenuCommand("zucca", Changes(is_available=False)))).unwrap()
    for wish in (
        PizzaWish("calzone", "medium"),
        PizzaWish("margherita", "medium", ("gold",)),
        PizzaWish("lemonade", "large"),
        PizzaWish("lemonade", "medium", ("extra_cheese",)),
        ZUCCA,
    ):
        result = await service.bus.execute_command(place_order(pizza_items=(MARGHERITA, wish)))
        assert result.status is OperationStatus.BAD_REQUEST, wish
    assert await rows_of(service, orders) == await events_of(service, "Order") == []
    assert (await service.bus.execute_command(place_order())).is_success


async def test_twenty_at_once_under_one_key_are_one_order(service: RunningService) -> None:
    commands = [place_order(payment_method="card", card_token="tok_secret") for _ in range(20)]
    for command in commands:
        command.metadata.idempotency_key = "the same"
    results = await asyncio.gather(*map(service.bus.execute_command, commands))
    assert {(result.status, result.data) for result in results} == {(OperationStatus.CREATED, results[0].data)}
    (order,) = await rows_of(service, orders)
    assert order.id == results[0].unwrap().order_id
    (kept,) = await rows_of(service, idempotency_keys)
    assert b"tok_secret" not in b"".join((kept.digest, kept.fingerprint, kept.answer))


async def test_a_commit_that_collides_is_tried_again_and_leaves_one_order(service: RunningService) -> None:
    with failing_commits(service.bus, times=2):
        order_id = await placed(service.bus)
    assert [order.id for order in await rows_of(service, orders)] == [order_id]
    assert (await happened(service, order_id))[0] == "OrderPlaced"


async def test_a_kitchen_with_its_hands_full_says_how_long_to_wait_until_there_is_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITCHEN_CAPACITY", "2")
    async with running_service(settings) as service:
        cook = await staff(People(service.bus))
        await completed(service.bus, cook)
        results = await asyncio.gather(*(service.bus.execute_command(place_order()) for _ in range(6)))
        refused = [result for result in results if result.is_failure]
        assert len(refused) == 4
        assert {result.status for result in refused} == {OperationStatus.UNAVAILABLE}
        assert all(60 <= result.errors["retry_after"] <= 33 * 60 for result in refused)
        assert len(await rows_of(service, orders)) == 3
