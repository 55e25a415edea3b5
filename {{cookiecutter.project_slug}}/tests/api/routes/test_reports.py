from httpx2 import AsyncClient

from app.composition.container import RunningService
from tests.api.callers import Callers
from tests.api.routes.test_orders import cook_of, new_order
from tests.databases import ON_SQLITE

pytestmark = ON_SQLITE


async def test_the_staff_reads_what_was_sold(client: AsyncClient, callers: Callers, service: RunningService) -> None:
    cook = await cook_of(callers)
    url = (await client.post("/api/orders", json=new_order())).headers["location"]
    await service.bus.settled()
    day = (await client.get(url)).json()["order_time"][:10]

    sales = (await cook.get("/api/reports/daily-sales", params={"date": day, "include_details": True})).json()
    popular = (await cook.get("/api/reports/popular-pizzas")).json()

    assert (sales["date"], sales["total_orders"], sales["total_revenue"]) == (day, 1, "31.18")
    assert [pizza["revenue"] for pizza in sales["pizzas"]] == ["18.39", "12.79"]
    assert [(pizza["name"], pizza["quantity"]) for pizza in popular] == [("Margherita", 1), ("Pepperoni", 1)]
    for report in ("daily-sales", "popular-pizzas"):
        assert (await client.get(f"/api/reports/{report}")).status_code == 401
        assert (await (await callers.member()).get(f"/api/reports/{report}")).status_code == 403
    assert (await cook.get("/api/reports/daily-sales", params={"date": "yesterday"})).status_code == 422
