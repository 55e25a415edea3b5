from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cqrs import BadRequestError, ConflictError, DomainEvent
from app.core.event_payloads import payload_of
from app.core.event_types import EventTypes
from app.domain.customer import Customer
from app.domain.order import Order
from app.domain.order_events import (
    CookingStarted,
    OrderAddressUpdated,
    OrderCancelled,
    OrderCompleted,
    OrderedPizza,
    OrderEvent,
    OrderPlaced,
    PaymentDeclined,
    PaymentProcessed,
    PizzaReady,
)

NOW = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def pizza(price: str = "12.99", minutes: int = 15) -> OrderedPizza:
    return OrderedPizza("margherita", "Margherita", "medium", ("olives",), None, Decimal(price), minutes)


def placed(*pizzas: OrderedPizza) -> Order:
    luigi = Customer("Luigi", "555 0123", "1 High Street", uuid4())
    return Order.place(uuid4(), luigi, pizzas or (pizza(), pizza("15.99", 18)), NOW, "card", "token")


def raised(order: Order) -> list[DomainEvent]:
    return [one.event for one in order.take_events()]


def test_a_new_order_is_pending_and_tells_everything() -> None:
    order = placed()
    assert (order.status, order.payment_status, order.total) == ("pending", "open", Decimal("28.98"))
    assert order.estimated_ready_at == NOW + timedelta(minutes=33)
    (event,) = raised(order)
    assert isinstance(event, OrderPlaced)
    assert (event.order_id, event.customer_user_id, event.total) == (order.id, order.customer_user_id, order.total)
    assert (event.customer_name, event.customer_phone, event.customer_address) == ("Luigi", "555 0123", "1 High Street")
    assert event.pizzas == (pizza(), pizza("15.99", 18))
    assert (event.payment_method, event.placed_at) == ("card", NOW)
    assert event.estimated_ready_time == order.estimated_ready_at


def test_its_whole_life_is_told_by_events_that_survive_json() -> None:
    order = placed()
    order.send_to("2 Low Street")
    order.pay("payment-1", LATER)
    order.start_cooking("staff-7", 20, LATER)
    order.mark_ready(1, 17, LATER)
    order.mark_ready(0, None, LATER)
    cancelled, declined = placed(), placed()
    cancelled.cancel("changed my mind", LATER)
    declined.decline("card_declined", LATER)

    events = [*raised(order), *raised(cancelled)[1:], *raised(declined)[1:]]

    kinds = [
        OrderPlaced,
        OrderAddressUpdated,
        PaymentProcessed,
        CookingStarted,
        PizzaReady,
        PizzaReady,
        OrderCompleted,
        OrderCancelled,
        PaymentDeclined,
    ]
    assert [type(event) for event in events] == kinds
    types = EventTypes(kinds[:5] + kinds[6:])
    for event in events:
        assert isinstance(event, OrderEvent)
        own: dict[str, Any] = {"event_id": event.event_id, "occurred_at": event.occurred_at}
        assert types.read(event.event_type, 1, payload_of(event), **own) == event


def test_the_last_pizza_completes_the_order() -> None:
    order = placed()
    order.start_cooking("staff-7", 20, LATER)
    assert order.estimated_ready_at == LATER + timedelta(minutes=20)
    seen = [order.status]
    for index in (1, 0):
        order.mark_ready(index, None, LATER)
        seen.append(order.status)
    assert seen == ["cooking", "cooking", "completed"]


def in_status(status: str) -> Order:
    order = placed(pizza())
    if status == "cancelled":
        order.cancel("no", NOW)
    if status in ("cooking", "completed"):
        order.start_cooking("staff-7", 20, NOW)
    if status == "completed":
        order.mark_ready(0, None, NOW)
    order.take_events()
    return order


@pytest.mark.parametrize(
    ("step", "arguments", "allowed_in"),
    [
        ("start_cooking", ("staff-7", 20, NOW), {"pending"}),
        ("mark_ready", (0, None, NOW), {"cooking"}),
        ("cancel", ("no", NOW), {"pending"}),
        ("send_to", ("2 Low Street",), {"pending"}),
        ("require_unpaid", (Decimal("12.99"),), {"pending", "cooking", "completed"}),
    ],
)
@pytest.mark.parametrize("status", ["pending", "cooking", "completed", "cancelled"])
def test_each_step_has_its_time(step: str, arguments: tuple[Any, ...], allowed_in: set[str], status: str) -> None:
    order = in_status(status)
    if status in allowed_in:
        getattr(order, step)(*arguments)
        return
    with pytest.raises(ConflictError):
        getattr(order, step)(*arguments)
    assert (raised(order), order.status) == ([], status)


def test_a_pizza_is_ready_once() -> None:
    order = placed()
    order.start_cooking("staff-7", 20, NOW)
    order.mark_ready(0, None, NOW)
    with pytest.raises(ConflictError):
        order.mark_ready(0, None, NOW)
    for index in (-1, 2):
        with pytest.raises(BadRequestError):
            order.mark_ready(index, None, NOW)


def test_only_the_whole_total_pays_and_only_once() -> None:
    order = placed()
    for amount in ("28.97", "28.99", "0"):
        with pytest.raises(BadRequestError):
            order.require_unpaid(Decimal(amount))
    order.require_unpaid(Decimal("28.98"))
    order.pay("payment-1", NOW)
    with pytest.raises(ConflictError, match="paid already"):
        order.require_unpaid(Decimal("28.98"))
    order.cancel("changed my mind", NOW)
    with pytest.raises(ConflictError, match="cancelled already"):
        order.require_unpaid(Decimal("28.98"))


def test_what_changes_nothing_raises_nothing() -> None:
    order = placed()
    order.decline("card_declined", NOW)
    order.take_events()
    order.decline("card_declined", NOW)
    order.send_to(order.customer_address)
    assert raised(order) == []


def test_a_cancelled_order_names_the_payment_to_give_back() -> None:
    order = placed()
    order.pay("payment-1", NOW)
    order.cancel("changed my mind", LATER)
    cancelled = raised(order)[-1]
    assert isinstance(cancelled, OrderCancelled)
    assert (cancelled.payment_id, cancelled.total, cancelled.reason) == ("payment-1", order.total, "changed my mind")


@given(st.lists(st.decimals(Decimal("0.01"), Decimal("99.99"), places=2), min_size=1, max_size=20))
def test_the_total_is_the_sum_to_the_cent(prices: list[Decimal]) -> None:
    cents = sum(round(float(price) * 100) for price in prices)
    assert placed(*(pizza(str(price)) for price in prices)).total == Decimal(cents) / 100
