from httpx2 import AsyncClient

from tests.api.callers import Callers
from tests.api.routes.test_orders import cook_of, new_order
from tests.databases import ON_SQLITE

pytestmark = ON_SQLITE


async def test_the_kitchen_sees_what_waits_and_what_is_cooked(client: AsyncClient, callers: Callers) -> None:
    cook = await cook_of(callers)
    urls = [(await client.post("/api/orders", json=new_order())).headers["location"] for _ in range(2)]
    body = {"kitchen_staff_id": "staff-7", "estimated_cooking_time_minutes": 20}
    assert (await cook.put(f"{urls[1]}/cook", json=body)).status_code == 200

    queue = (await cook.get("/api/kitchen/queue")).json()
    cooking = (await cook.get("/api/kitchen/queue", params={"status": "cooking"})).json()

    assert [f"/api/orders/{order['order_id']}" for order in queue] == urls
    assert cooking == queue[1:]
    assert (queue[0]["pizza_count"], queue[0]["special_instructions"]) == (2, ["well done"])
    assert queue[0]["total_preparation_minutes"] == 33
    assert (await client.get("/api/kitchen/queue")).status_code == 401
    assert (await (await callers.member()).get("/api/kitchen/queue")).status_code == 403
