"""Lists of orders over HTTP, as stories."""

from httpx2 import AsyncClient

from tests.api.callers import Callers
from tests.api.routes.test_orders import cook_of, new_order
from tests.databases import ON_SQLITE

pytestmark = ON_SQLITE


async def test_the_staff_finds_orders_by_page_and_by_cursor(client: AsyncClient, callers: Callers) -> None:
    cook = await cook_of(callers)
    ids = [(await client.post("/api/orders", json=new_order())).json()["order_id"] for _ in range(3)]
    other = new_order(customer_phone="555 0123")
    ids.append((await client.post("/api/orders", json=other)).json()["order_id"])

    page = (await cook.get("/api/orders", params={"page_size": 3})).json()
    assert [order["order_id"] for order in page["items"]] == ids[:0:-1]
    assert (page["pagination"]["total_count"], page["pagination"]["has_next"]) == (4, True)
    assert (page["items"][0]["total_amount"], page["items"][0]["status"]) == ("31.18", "pending")
    mine = (await cook.get("/api/orders", params={"customer_phone": "5550123", "status": "pending"})).json()
    assert [order["order_id"] for order in mine["items"]] == ids[3:]

    first = (await cook.get("/api/orders/scroll", params={"limit": 3})).json()
    rest = (await cook.get("/api/orders/scroll", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [order["order_id"] for order in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    forged = await cook.get("/api/orders/scroll", params={"cursor": "x" + first["next_cursor"]})
    assert (forged.status_code, forged.json()["errors"]) == (422, {"cursor": "is not one of this list"})
    assert (await cook.get("/api/orders", params={"status": "burnt"})).status_code == 422


async def test_a_customer_reads_the_history_right_after_ordering(client: AsyncClient, callers: Callers) -> None:
    ada, bob = await callers.member(), await callers.member()
    placed = (await ada.post("/api/orders", json=new_order())).json()
    await bob.post("/api/orders", json=new_order())

    history = (await ada.get("/api/orders/history")).json()

    assert set(history) == {"items", "pagination", "total_orders", "total_spent", "favourite_pizzas"}
    assert [order["order_id"] for order in history["items"]] == [placed["order_id"]]
    assert (history["total_orders"], history["total_spent"]) == (1, placed["total_amount"])
    assert history["favourite_pizzas"][0] == {"pizza_id": "margherita", "name": "Margherita", "quantity": 1}
    assert (await client.get("/api/orders/history")).status_code == 401
    assert (await client.get("/api/orders")).status_code == 401
    assert (await ada.get("/api/orders")).status_code == 403
