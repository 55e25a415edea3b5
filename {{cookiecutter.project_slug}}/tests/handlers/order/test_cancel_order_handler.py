from uuid import uuid4

from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from tests.orders import cooking, happened, placed, stored_order
from tests.users import People, Person


async def test_customers_cancel_an_order_that_is_still_pending(
    service: RunningService, people: People, cook: Person
) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    assert (await ada.command(CancelOrderCommand(order_id, "too hungry"))).unwrap().status == "cancelled"
    assert (await stored_order(service, order_id)).status == "cancelled"
    assert await happened(service, order_id) == ["OrderPlaced", "OrderCancelled"]
    late = await cooking(ada, cook)
    assert (await ada.command(CancelOrderCommand(late))).status is OperationStatus.CONFLICT
    assert (await ada.command(CancelOrderCommand(uuid4()))).status is OperationStatus.NOT_FOUND
