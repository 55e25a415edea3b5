import asyncio
from uuid import uuid4

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.start_cooking_handler import StartCookingCommand
from tests.orders import happened, placed, stored_order
from tests.users import Person


async def test_a_cook_starts_and_says_when_it_will_be_ready(
    service: RunningService, bus: CQRSBus, cook: Person
) -> None:
    order_id = await placed(bus)
    progress = (await cook.command(StartCookingCommand(order_id, "staff-7", 25))).unwrap()
    order = await stored_order(service, order_id)
    assert (progress.status, order.status) == ("cooking", "cooking")
    assert progress.estimated_ready_time == order.estimated_ready_at
    assert await happened(service, order_id) == ["OrderPlaced", "CookingStarted"]
    assert (await cook.command(StartCookingCommand(uuid4(), "staff-7", 20))).status is OperationStatus.NOT_FOUND


async def test_of_ten_cooks_who_start_at_once_one_does(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    order_id = await placed(bus)
    commands = [StartCookingCommand(order_id, f"staff-{number}", 20) for number in range(10)]
    results = await asyncio.gather(*map(cook.command, commands))
    assert sorted(result.status.name for result in results) == ["CONFLICT"] * 9 + ["SUCCESS"]
    assert await happened(service, order_id) == ["OrderPlaced", "CookingStarted"]
