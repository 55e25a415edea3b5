import asyncio
from uuid import uuid4

import pytest

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.persistence.order_tables import order_lines
from tests.orders import cooking, happened, placed, stored_order
from tests.rows import rows_of
from tests.users import People, Person


async def test_the_last_pizza_completes_the_order(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    order_id = await cooking(bus, cook)
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


@pytest.mark.parametrize("index", [-1, 2, 10**9])
async def test_a_pizza_that_the_order_does_not_have_is_refused(bus: CQRSBus, cook: Person, index: int) -> None:
    order_id = await cooking(bus, cook)
    assert (await cook.command(MarkPizzaReadyCommand(order_id, index))).status is OperationStatus.BAD_REQUEST


async def test_what_is_not_being_cooked_is_not_ready(bus: CQRSBus, cook: Person, people: People) -> None:
    order_id = await placed(bus)
    assert (await cook.command(MarkPizzaReadyCommand(order_id, 0))).status is OperationStatus.CONFLICT
    ada = await people.member()
    assert (await ada.command(MarkPizzaReadyCommand(order_id, 0))).status is OperationStatus.FORBIDDEN


@pytest.mark.parametrize(("minutes", "named"), [(0, ["actual_cooking_time_minutes"]), (None, []), (7, [])])
def test_what_is_not_valid_is_named(minutes: int | None, named: list[str]) -> None:
    assert list(MarkPizzaReadyCommand(uuid4(), 0, minutes).validate()) == named
