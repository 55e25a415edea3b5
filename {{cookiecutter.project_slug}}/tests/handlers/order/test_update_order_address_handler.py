from uuid import uuid4

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.update_order_address_handler import UpdateOrderAddressCommand
from tests.orders import cooking, happened, placed, stored_order
from tests.users import People, Person


async def test_customers_redirect_their_own(service: RunningService, people: People) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    assert (await ada.command(UpdateOrderAddressCommand(order_id, "2 Low Street"))).is_success
    assert (await stored_order(service, order_id)).customer_address == "2 Low Street"
    assert await happened(service, order_id) == ["OrderPlaced", "OrderAddressUpdated"]


async def test_nobody_redirects_somebody_elses_but_staff(bus: CQRSBus, people: People, cook: Person) -> None:
    bob = await people.member()
    order_id = await placed(bus)
    assert (await bob.command(UpdateOrderAddressCommand(order_id, "Bob's"))).status is OperationStatus.FORBIDDEN
    assert (await cook.command(UpdateOrderAddressCommand(order_id, "2 Low Street"))).is_success


async def test_only_a_pending_order_is_redirected(people: People, cook: Person) -> None:
    ada = await people.member()
    order_id = await cooking(ada, cook)
    assert (await ada.command(UpdateOrderAddressCommand(order_id, "2 Low Street"))).status is OperationStatus.CONFLICT


def test_an_address_that_is_none_is_named() -> None:
    assert list(UpdateOrderAddressCommand(uuid4(), " ").validate()) == ["customer_address"]
