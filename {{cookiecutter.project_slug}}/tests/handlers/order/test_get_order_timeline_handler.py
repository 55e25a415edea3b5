from uuid import uuid4

from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.get_order_timeline_handler import GetOrderTimelineQuery
from tests.orders import completed, placed
from tests.users import People, Person


async def test_it_tells_the_whole_life_of_one_order(bus: CQRSBus, people: People, cook: Person) -> None:
    ada = await people.member()
    order_id = await completed(ada, cook)
    await placed(ada)
    timeline = (await bus.execute_query(GetOrderTimelineQuery(order_id))).unwrap()
    assert [entry.event for entry in timeline] == [
        "OrderPlaced",
        "CookingStarted",
        "PizzaReady",
        "PizzaReady",
        "OrderCompleted",
    ]
    assert [entry.details["pizza_index"] for entry in timeline[2:4]] == [0, 1]
    assert timeline[0].details["total"] == "35.28"
    assert timeline[2].details["actual_cooking_time_minutes"] == 14
    assert "staff-7" not in str(timeline)
    assert str(ada.id) not in str(timeline)
    assert (await bus.execute_query(GetOrderTimelineQuery(uuid4()))).status is OperationStatus.NOT_FOUND
