from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.handlers.order.update_order_address_handler import UpdateOrderAddressCommand
from tests.orders import cooking, happened, placed, stored_order
from tests.users import People, Person


async def test_customers_redirect_an_order_that_is_still_pending(
    service: RunningService, people: People, cook: Person
) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    assert (await ada.command(UpdateOrderAddressCommand(order_id, "2 Low Street"))).is_success
    assert (await stored_order(service, order_id)).customer_address == "2 Low Street"
    assert await happened(service, order_id) == ["OrderPlaced", "OrderAddressUpdated"]
    late = await cooking(ada, cook)
    assert (await ada.command(UpdateOrderAddressCommand(late, "2 Low Street"))).status is OperationStatus.CONFLICT
