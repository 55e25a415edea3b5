from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.persistence.mappings.order_read_tables import order_summaries
from tests.orders import completed, placed
from tests.rows import rows_of
from tests.users import Person


async def test_the_line_of_an_order_is_there_with_its_commit_and_follows_it_to_its_end(
    service: RunningService, bus: CQRSBus, cook: Person
) -> None:
    order_id = await placed(bus)
    (row,) = await rows_of(service, order_summaries)
    assert (row.order_id, row.version, row.status, row.phone_digits) == (order_id, 1, "pending", "15550109999")
    ready = await completed(bus, cook)
    (row,) = [row for row in await rows_of(service, order_summaries) if row.order_id == ready]
    assert (row.version, row.status, row.pizza_count) == (5, "completed", 2)
    assert row.order_time < row.estimated_ready_time
