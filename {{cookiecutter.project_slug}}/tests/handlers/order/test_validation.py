"""What is not valid in messages about orders, and what of them is never shown."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from app.domain.menu import Changes, PizzaWish
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_kitchen_queue_handler import GetKitchenQueueQuery
from app.handlers.order.get_menu_handler import GetMenuQuery
from app.handlers.order.get_order_history_handler import GetOrderHistoryQuery
from app.handlers.order.get_orders_handler import GetOrdersQuery
from app.handlers.order.get_popular_pizzas_handler import GetPopularPizzasQuery
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.process_payment_handler import ProcessPaymentCommand
from app.handlers.order.scroll_orders_handler import ScrollOrdersQuery
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from app.handlers.order.update_order_address_handler import UpdateOrderAddressCommand
from tests.orders import MARGHERITA, TOTAL, place_order
from tests.tables import Row, assert_problems

ID = uuid4()
CHANGES: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"category": "desserts"}, "category"),
    ({"base_price": Decimal(-1)}, "base_price"),
    ({"preparation_minutes": 0}, "preparation_minutes"),
    ({"sizes": ()}, "sizes"),
    ({"sizes": ("small", "huge"), "description": "\x00"}, "description sizes"),
    ({"sizes": ("small", "small"), "toppings": ("olives", "olives")}, "sizes toppings"),
    ({"sizes": ("small",), "toppings": (), "is_seasonal": True}, ""),
]
NAMED: list[Row] = [
    (place_order(customer_name=""), "customer_name"),
    (place_order(customer_phone="555-CALL-ME", customer_address="nul\x00"), "customer_phone customer_address"),
    (place_order(pizza_items=()), "pizza_items"),
    (place_order(pizza_items=(MARGHERITA,) * 51), "pizza_items"),
    (place_order(pizza_items=(MARGHERITA, PizzaWish("pepperoni", "huge"))), "pizza_items.1.size"),
    (
        place_order(pizza_items=(PizzaWish("", "small", ("\ud800",), "\x00"),)),
        "pizza_items.0.pizza_id pizza_items.0.toppings pizza_items.0.special_instructions",
    ),
    (place_order(pizza_items=(PizzaWish("margherita", "small", ("olives",) * 21),)), "pizza_items.0.toppings"),
    (place_order(payment_method="shells"), "payment_method"),
    (place_order(card_token="tok"), "card_token"),
    (place_order(card_token="", payment_method="card"), "card_token"),
    *((CancelOrderCommand(ID, reason), "reason") for reason in ("", "two\nlines", "x" * 201)),
    (UpdateOrderAddressCommand(ID, " "), "customer_address"),
    (ProcessPaymentCommand(ID, Decimal("0.001"), "\x00"), "amount card_token"),
    (StartCookingCommand(ID, "", 20), "kitchen_staff_id"),
    (StartCookingCommand(ID, "staff-7", 0), "estimated_cooking_time_minutes"),
    (StartCookingCommand(ID, "staff-7", 1441), "estimated_cooking_time_minutes"),
    (StartCookingCommand(ID, "staff-7", 1440), ""),
    (MarkPizzaReadyCommand(ID, 0, 0), "actual_cooking_time_minutes"),
    (MarkPizzaReadyCommand(ID, 0, None), ""),
    (MarkPizzaReadyCommand(ID, 0, 7), ""),
    *((UpdateMenuCommand("margherita", Changes(**changes)), names) for changes, names in CHANGES),
    *((UpdateMenuCommand(pizza_id, Changes(is_available=True)), "pizza_id") for pizza_id in ("", "\x00", "x" * 51)),
    (GetMenuQuery("desserts"), "category"),
    (GetKitchenQueueQuery("completed"), "status"),
    (GetOrderHistoryQuery(ID, page=0), "page"),
    (GetOrdersQuery(page=0), "page"),
    (GetOrdersQuery(page_size=101), "page_size"),
    (GetOrdersQuery(status="burnt"), "status"),
    (GetOrdersQuery(customer_phone="12"), "customer_phone"),
    (GetOrdersQuery(customer_phone="\x00"), "customer_phone"),
    (GetPopularPizzasQuery(0), "limit"),
    (GetPopularPizzasQuery(101), "limit"),
    (ScrollOrdersQuery(limit=0), "limit"),
    (ScrollOrdersQuery(limit=101), "limit"),
    (ScrollOrdersQuery(cursor="ü"), "cursor"),
    (ScrollOrdersQuery(cursor="x" * 1001), "cursor"),
    (ScrollOrdersQuery(status="burnt"), "status"),
]


def test_what_is_not_valid_is_named_with_its_place() -> None:
    assert_problems(NAMED)


def test_a_card_is_in_no_representation() -> None:
    for message in (place_order(card_token="tok_secret"), ProcessPaymentCommand(ID, TOTAL, "tok_secret")):
        assert "tok_secret" not in repr(message)
