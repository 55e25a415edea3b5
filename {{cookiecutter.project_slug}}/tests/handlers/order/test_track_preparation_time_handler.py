from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.persistence.order_tables import preparation_times
from tests.orders import completed
from tests.rows import deliver_again, rows_of
from tests.users import Person


async def test_what_the_kitchen_says_is_kept_once(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    await completed(bus, cook)
    await deliver_again(service)
    (kept,) = await rows_of(service, preparation_times)
    assert (kept.pizza_id, kept.planned_minutes, kept.actual_minutes) == ("margherita", 15, 14)
