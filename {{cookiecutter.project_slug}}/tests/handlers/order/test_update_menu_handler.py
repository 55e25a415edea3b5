from decimal import Decimal

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.domain.menu import Changes
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from app.persistence.event_tables import event_log
from tests.orders import MARGHERITA, place_order, stored_order
from tests.rows import rows_of
from tests.users import Person


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


async def test_what_there_is_not_is_refused(cook: Person) -> None:
    for pizza_id, changes, status in (
        ("calzone", Changes(is_available=False), OperationStatus.NOT_FOUND),
        ("margherita", Changes(toppings=("olives", "gold")), OperationStatus.BAD_REQUEST),
    ):
        assert (await cook.command(UpdateMenuCommand(pizza_id, changes))).status is status
