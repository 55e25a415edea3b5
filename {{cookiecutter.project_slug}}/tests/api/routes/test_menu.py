"""The menu over HTTP, as stories."""

from httpx2 import AsyncClient

from tests.api.callers import Callers
from tests.databases import ON_SQLITE

pytestmark = ON_SQLITE


async def test_anybody_reads_the_menu(client: AsyncClient) -> None:
    read = await client.get("/api/menu", params={"category": "pizza", "include_seasonal": False})
    assert read.status_code == 200
    assert [item["id"] for item in read.json()] == ["margherita", "pepperoni", "quattro_formaggi"]
    margherita = read.json()[0]
    assert (margherita["base_price"], margherita["preparation_minutes"]) == ("12.99", 15)
    assert {"id": "extra_cheese", "name": "Extra cheese", "price": "1.50"} in margherita["toppings"]
    assert (await client.get("/api/menu", params={"category": "desserts"})).status_code == 422


async def test_staff_changes_it_and_everybody_sees_it(client: AsyncClient, callers: Callers) -> None:
    admin, cook = await callers.administrator(), await callers.member()
    await client.get("/api/menu")

    assert (await cook.put("/api/menu/espresso", json={"base_price": "2.79"})).status_code == 403
    await admin.put(f"{cook.url}/roles/staff")
    changed = await cook.put("/api/menu/espresso", json={"base_price": "2.79", "sizes": ["small", "medium"]})
    menu = {item["id"]: item for item in (await client.get("/api/menu")).json()}

    assert changed.json() == {"pizza_id": "espresso", "changed": ["base_price", "sizes"]}
    assert (menu["espresso"]["base_price"], menu["espresso"]["sizes"]) == ("2.79", ["small", "medium"])


async def test_what_is_wrong_is_named(callers: Callers) -> None:
    admin = await callers.administrator()
    wrong = await admin.put("/api/menu/espresso", json={"base_price": "2.799", "category": "coffee"})
    nothing = await admin.put("/api/menu/espresso", json={})
    infinite = await admin.put("/api/menu/espresso", json={"base_price": "Infinity"})
    mixed = await admin.put("/api/menu/espresso", json={"sizes": ["small", 7]})

    assert wrong.status_code == nothing.status_code == infinite.status_code == mixed.status_code == 422
    assert list(wrong.json()["errors"]) == ["category", "base_price"]
    assert list(infinite.json()["errors"]) == ["base_price"]
    assert list(mixed.json()["errors"]) == ["sizes.1"]
    assert (await admin.put("/api/menu/calzone", json={"is_available": False})).status_code == 404
