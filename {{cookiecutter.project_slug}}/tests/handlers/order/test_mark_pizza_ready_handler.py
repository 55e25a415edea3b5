import asyncio

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.persistence.order_tables import order_lines
from tests.orders import cooking, happened, placed, stored_order
from tests.rows import rows_of
from tests.users import Person


async def test_the_last_pizza_completes_the_order(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    order_id = await placed(bus)
    assert (await cook.command(MarkPizzaReadyCommand(order_id, 0))).status is OperationStatus.CONFLICT
    (await cook.command(StartCookingCommand(order_id, "staff-7", 20))).unwrap()
    for missing in (-1, 2, 10**9):
        assert (await cook.command(MarkPizzaReadyCommand(order_id, missing))).status is OperationStatus.BAD_REQUEST
    seen = []
    for index in (1, 0):
        result = await cook.command(MarkPizzaReadyCommand(order_id, index, 12))
        seen.append((result.unwrap().status, [line.is_ready for line in await rows_of(service, order_lines)]))
    assert seen == [("cooking", [False, True]), ("completed", [True, True])]
    assert (await happened(service, order_id))[2:] == ["PizzaReady", "PizzaReady", "OrderCompleted"]


async def test_all_pizzas_at_once_complete_the_order_once(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    order_id = await cooking(bus, cook)
    commands = [MarkPizzaReadyCommand(order_id, index) for index in (0, 1, 0, 1)]
    results = await asyncio.gather(*map(cook.command, commands))
    assert sorted(result.status.name for result in results) == ["CONFLICT", "CONFLICT", "SUCCESS", "SUCCESS"]
    assert (await happened(service, order_id)).count("OrderCompleted") == 1
    assert (await stored_order(service, order_id)).status == "completed"
