from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.get_user_dashboard_handler import GetUserDashboardQuery
from tests.orders import placed, staff
from tests.rows import deliver_again, notices_of
from tests.users import People, Person


async def test_everybody_who_works_in_the_kitchen_is_told_once(
    service: RunningService, bus: CQRSBus, people: People, cook: Person
) -> None:
    other, root = await staff(people), await people.administrator()
    await placed(bus)
    await deliver_again(service)
    told = await notices_of(service, "kitchen_notice")
    assert sorted(row.user_id for row in told) == sorted([cook.id, other.id])
    assert {row.subject for row in told} == {"To cook: 2"}
    assert told[0].body.endswith("medium Margherita, large Pepperoni.")
    (await root.command(DeactivateUserCommand(other.id))).unwrap()
    await placed(bus)
    await bus.settled()
    told = await notices_of(service, "kitchen_notice")
    assert sorted(row.user_id for row in told) == sorted([cook.id, cook.id, other.id])


async def test_who_is_told_sees_it_on_the_dashboard_at_once(bus: CQRSBus, cook: Person) -> None:
    await bus.settled()
    seen = []
    for _ in range(2):
        dashboard = (await cook.query(GetUserDashboardQuery(cook.id))).unwrap()
        seen.append("kitchen_notice" in [notification.kind for notification in dashboard.unread_notifications])
        await placed(bus)
        await bus.settled()
    assert seen == [False, True]
