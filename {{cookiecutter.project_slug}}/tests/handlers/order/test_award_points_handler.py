from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.order.award_points_handler import AwardPointsHandler
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.persistence.order_tables import loyalty_points
from tests.orders import completed, done, placed
from tests.rows import deliver_again, rows_of
from tests.users import People, Person


async def test_a_completed_order_earns_points_once(
    service: RunningService, bus: CQRSBus, people: People, cook: Person
) -> None:
    ada, bob = await people.member(), await people.member()
    order_id = await completed(ada, cook)
    await placed(ada)
    await completed(bus, cook)
    await completed(bob, cook)
    await bus.settled()
    (await bob.command(DeleteUserCommand(bob.id))).unwrap()
    await deliver_again(service)
    (awarded,) = await rows_of(service, loyalty_points)
    assert (awarded.order_id, awarded.user_id, awarded.points) == (order_id, ada.id, 35)
    assert await done(service, AwardPointsHandler)
