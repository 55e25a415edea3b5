from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.order.confirm_order_handler import ConfirmOrderHandler
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.persistence.tables import notifications
from tests.orders import done, placed
from tests.rows import deliver_again, rows_of
from tests.users import People


async def test_customers_with_an_account_are_told_once(service: RunningService, bus: CQRSBus, people: People) -> None:
    ada, bob = await people.member(), await people.member()
    order_id = await placed(ada)
    await placed(bus)
    await placed(bob)
    await bus.settled()
    (await bob.command(DeleteUserCommand(bob.id))).unwrap()
    await deliver_again(service)
    (told,) = [row for row in await rows_of(service, notifications) if row.kind == "order_confirmation"]
    assert told.user_id == ada.id
    assert str(order_id) in told.body
    assert "35.28" in told.body
    assert await done(service, ConfirmOrderHandler)
