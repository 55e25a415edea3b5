from decimal import Decimal
from typing import Any

import pytest

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.domain.menu import Changes
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from app.persistence.event_tables import event_log
from tests.orders import MARGHERITA, place_order, stored_order
from tests.rows import rows_of
from tests.users import People, Person


async def test_a_new_price_is_for_new_orders(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    old = (await bus.execute_command(place_order(pizza_items=(MARGHERITA,)))).unwrap()
    result = await cook.command(
        UpdateMenuCommand("margherita", Changes(base_price=Decimal("13.49"), name="Margherita"))
    )
    assert result.unwrap().changed == ("base_price",)
    new = (await bus.execute_command(place_order(pizza_items=(MARGHERITA,)))).unwrap()
    assert (old.total_amount, new.total_amount) == (Decimal("12.99"), Decimal("13.49"))
    assert (await stored_order(service, old.order_id)).total == Decimal("12.99")
    (event,) = [row for row in await rows_of(service, event_log) if row.event_type == "MenuUpdated"]
    assert (event.aggregate_type, event.aggregate_id) == ("MenuItem", "margherita")
    assert event.payload == {"pizza_id": "margherita", "changed": ["base_price"]}


async def test_only_staff_changes_the_menu(bus: CQRSBus, people: People, cook: Person) -> None:
    ada, changes = await people.member(), Changes(is_available=False)
    assert (await ada.command(UpdateMenuCommand("margherita", changes))).status is OperationStatus.FORBIDDEN
    assert (await cook.command(UpdateMenuCommand("calzone", changes))).status is OperationStatus.NOT_FOUND
    unknown = Changes(toppings=("olives", "gold"))
    assert (await cook.command(UpdateMenuCommand("margherita", unknown))).status is OperationStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"category": "desserts"}, ["category"]),
        ({"base_price": Decimal(-1)}, ["base_price"]),
        ({"preparation_minutes": 0}, ["preparation_minutes"]),
        ({"sizes": ()}, ["sizes"]),
        ({"sizes": ("small", "huge"), "description": "\x00"}, ["description", "sizes"]),
        ({"sizes": ("small", "small"), "toppings": ("olives", "olives")}, ["sizes", "toppings"]),
        ({"sizes": ("small",), "toppings": (), "is_seasonal": True}, []),
    ],
)
def test_what_is_not_valid_is_named(changes: dict[str, Any], named: list[str]) -> None:
    assert list(UpdateMenuCommand("margherita", Changes(**changes)).validate()) == named


@pytest.mark.parametrize("pizza_id", ["", "\x00", "x" * 51])
def test_an_id_that_is_none_is_named(pizza_id: str) -> None:
    assert list(UpdateMenuCommand(pizza_id, Changes(is_available=True)).validate()) == ["pizza_id"]
