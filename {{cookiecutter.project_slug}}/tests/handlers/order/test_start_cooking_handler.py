import asyncio
from uuid import uuid4

import pytest

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.start_cooking_handler import StartCookingCommand
from tests.orders import happened, placed, stored_order
from tests.users import People, Person


async def test_a_cook_starts_and_says_when_it_will_be_ready(
    service: RunningService, bus: CQRSBus, cook: Person
) -> None:
    order_id = await placed(bus)
    progress = (await cook.command(StartCookingCommand(order_id, "staff-7", 25))).unwrap()
    order = await stored_order(service, order_id)
    assert (progress.status, order.status) == ("cooking", "cooking")
    assert progress.estimated_ready_time == order.estimated_ready_at
    assert await happened(service, order_id) == ["OrderPlaced", "CookingStarted"]


async def test_of_ten_cooks_who_start_at_once_one_does(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    order_id = await placed(bus)
    commands = [StartCookingCommand(order_id, f"staff-{number}", 20) for number in range(10)]
    results = await asyncio.gather(*map(cook.command, commands))
    assert sorted(result.status.name for result in results) == ["CONFLICT"] * 9 + ["SUCCESS"]
    assert await happened(service, order_id) == ["OrderPlaced", "CookingStarted"]


async def test_only_staff_cooks(bus: CQRSBus, people: People) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    assert (await ada.command(StartCookingCommand(order_id, "ada", 20))).status is OperationStatus.FORBIDDEN
    result = await bus.execute_command(StartCookingCommand(order_id, "nobody", 20))
    assert result.status is OperationStatus.UNAUTHENTICATED


async def test_an_order_that_does_not_exist_is_told(cook: Person) -> None:
    assert (await cook.command(StartCookingCommand(uuid4(), "staff-7", 20))).status is OperationStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("staff_id", "minutes", "named"),
    [
        ("", 20, ["kitchen_staff_id"]),
        ("staff-7", 0, ["estimated_cooking_time_minutes"]),
        ("staff-7", 1441, ["estimated_cooking_time_minutes"]),
        ("staff-7", 1440, []),
    ],
)
def test_what_is_not_valid_is_named(staff_id: str, minutes: int, named: list[str]) -> None:
    assert list(StartCookingCommand(uuid4(), staff_id, minutes).validate()) == named
