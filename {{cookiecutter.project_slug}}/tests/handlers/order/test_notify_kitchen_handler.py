from app.core.container import RunningService
from app.core.cqrs import CQRSBus
from app.persistence.tables import notifications
from tests.orders import placed, staff
from tests.rows import deliver_again, rows_of
from tests.users import People, Person


async def test_everybody_in_the_kitchen_is_told_once(
    service: RunningService, bus: CQRSBus, people: People, cook: Person
) -> None:
    other = await staff(people)
    await placed(bus)
    await deliver_again(service)
    told = [row for row in await rows_of(service, notifications) if row.kind == "kitchen_notice"]
    assert sorted(row.user_id for row in told) == sorted([cook.id, other.id])
    assert {row.subject for row in told} == {"To cook: 2"}
    assert told[0].body.endswith("medium Margherita, large Pepperoni.")
