from uuid import uuid4

import pytest

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from tests.orders import cooking, happened, placed, stored_order
from tests.users import People, Person


async def test_customers_cancel_their_own(service: RunningService, people: People) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    assert (await ada.command(CancelOrderCommand(order_id, "too hungry"))).unwrap().status == "cancelled"
    assert (await stored_order(service, order_id)).status == "cancelled"
    assert await happened(service, order_id) == ["OrderPlaced", "OrderCancelled"]


async def test_nobody_cancels_somebody_elses_but_staff(bus: CQRSBus, people: People, cook: Person) -> None:
    ada, bob, root = await people.member(), await people.member(), await people.administrator()
    hers, anonymous = await placed(ada), await placed(bus)
    for order_id in (hers, anonymous):
        assert (await bob.command(CancelOrderCommand(order_id))).status is OperationStatus.FORBIDDEN
        assert (await bus.execute_command(CancelOrderCommand(order_id))).status is OperationStatus.UNAUTHENTICATED
    assert (await cook.command(CancelOrderCommand(hers))).is_success
    assert (await root.command(CancelOrderCommand(anonymous))).is_success


async def test_only_a_pending_order_is_cancelled(people: People, cook: Person) -> None:
    ada = await people.member()
    order_id = await cooking(ada, cook)
    assert (await ada.command(CancelOrderCommand(order_id))).status is OperationStatus.CONFLICT
    assert (await ada.command(CancelOrderCommand(uuid4()))).status is OperationStatus.NOT_FOUND


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 201])
def test_a_reason_that_is_none_is_named(reason: str) -> None:
    assert list(CancelOrderCommand(uuid4(), reason).validate()) == ["reason"]
