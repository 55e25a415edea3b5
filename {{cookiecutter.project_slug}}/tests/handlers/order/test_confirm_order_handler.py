from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.order.confirm_order_handler import ConfirmOrderHandler
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.persistence.tables import notifications
from tests.orders import done, placed
from tests.rows import deliver_again, rows_of
from tests.users import People


async def test_customers_with_an_account_are_told_once(service: RunningService, people: People) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    await deliver_again(service)
    (told,) = [row for row in await rows_of(service, notifications) if row.kind == "order_confirmation"]
    assert told.user_id == ada.id
    assert str(order_id) in told.body
    assert "35.28" in told.body


async def test_others_are_not(service: RunningService, bus: CQRSBus, people: People) -> None:
    await placed(bus)
    ada = await people.member()
    await placed(ada)
    await bus.settled()
    (await ada.command(DeleteUserCommand(ada.id))).unwrap()
    await deliver_again(service)
    assert [row.kind for row in await rows_of(service, notifications)] == []
    assert await done(service, ConfirmOrderHandler)
