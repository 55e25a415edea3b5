"""Orders over HTTP, as stories."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from app.adapters.payment_memory import DECLINED_CARD
from app.composition.container import RunningService
from app.read_models.order_views import OrderStatusView
from tests.api.callers import Caller, Callers
from tests.databases import ON_SQLITE
from tests.orders import payments_of

pytestmark = ON_SQLITE


def new_order(**fields: Any) -> dict[str, Any]:
    """A valid body for an order, but for these fields; None leaves one out."""
    valid = {
        "customer_name": "Luigi",
        "customer_phone": "+1 (555) 010-9999",
        "customer_address": "1 High Street",
        "pizza_items": [
            {"pizza_id": "margherita", "size": "large", "toppings": ["extra_cheese"]},
            {"pizza_id": "pepperoni", "size": "small", "toppings": [], "special_instructions": "well done"},
        ],
    }
    return {name: value for name, value in {**valid, **fields}.items() if value is not None}


async def cook_of(callers: Callers) -> Caller:
    admin, cook = await callers.administrator(), await callers.member()
    assert (await admin.put(f"{cook.url}/roles/staff")).status_code == 204
    return cook


async def test_an_order_goes_from_the_wish_to_the_last_pizza(client: AsyncClient, callers: Callers) -> None:
    cook = await cook_of(callers)
    placed = await client.post("/api/orders", json=new_order())
    order = placed.json()
    url = placed.headers["location"]

    assert placed.status_code == 201
    assert set(order) == {"order_id", "total_amount", "estimated_ready_time"}
    assert url == f"/api/orders/{order['order_id']}"
    assert Decimal(order["total_amount"]) == Decimal("16.89") + Decimal("1.50") + Decimal("12.79")
    assert datetime.fromisoformat(order["estimated_ready_time"]).tzinfo is not None

    pending = (await client.get(f"{url}/status")).json()
    assert pending.keys() == OrderStatusView.model_fields.keys()
    assert (pending["status"], pending["total_amount"]) == ("pending", order["total_amount"])
    started = await cook.put(f"{url}/cook", json={"kitchen_staff_id": "staff-7", "estimated_cooking_time_minutes": 20})
    assert (started.status_code, started.json()["status"]) == (200, "cooking")
    first = await cook.put(f"{url}/pizzas/0/ready", json={"actual_cooking_time_minutes": 14})
    last = await cook.put(f"{url}/pizzas/1/ready")
    assert [first.json()["status"], last.json()["status"]] == ["cooking", "completed"]

    assert (await client.get(f"{url}/status")).json()["status"] == "completed"
    details = (await client.get(url)).json()
    assert (details["customer_address"], details["payment_status"]) == ("1 High Street", "open")
    assert [pizza["price"] for pizza in details["pizzas"]] == ["18.39", "12.79"]
    timeline = (await client.get(f"{url}/timeline")).json()
    assert [entry["event"] for entry in timeline] == [
        "OrderPlaced",
        "CookingStarted",
        "PizzaReady",
        "PizzaReady",
        "OrderCompleted",
    ]


async def test_an_order_sent_twice_is_one_order_and_one_answer(client: AsyncClient) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await client.post("/api/orders", json=new_order(), headers=headers)
    again = await client.post("/api/orders", json=new_order(), headers=headers)
    other = await client.post("/api/orders", json=new_order(customer_name="Peach"), headers=headers)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"


async def test_customers_pay_redirect_and_cancel_their_own(callers: Callers) -> None:
    ada, bob = await callers.member(), await callers.member()
    placed = await ada.post("/api/orders", json=new_order())
    url, total = placed.headers["location"], placed.json()["total_amount"]

    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "payments", {"amount": total}),
        ("PUT", "address", {"customer_address": "2 Low Street"}),
        ("POST", "cancel", {"reason": "not hungry any more"}),
    ]
    for method, step, body in steps:
        assert (await bob.request(method, f"{url}/{step}", json=body)).status_code == 403
        assert (await ada.request(method, f"{url}/{step}", json=body)).status_code == 200
    order = (await ada.get(url)).json()
    assert (order["status"], order["payment_status"], order["customer_address"]) == (
        "cancelled",
        "paid",
        "2 Low Street",
    )


async def test_a_payment_is_the_total_or_nothing(callers: Callers) -> None:
    ada = await callers.member()
    bodies: list[tuple[dict[str, Any], int]] = [
        ({"amount": "0.01"}, 400),
        ({"amount": "31.18", "card_token": DECLINED_CARD}, 400),
        ({"amount": "31.181"}, 422),
        ({"amount": "NaN"}, 422),
        ({"amount": "1e400"}, 422),
        ({"amount": True}, 422),
        ({"amount": 31.18}, 200),
        ({"amount": "31.18"}, 200),
    ]
    for body, status in bodies:
        url = (await ada.post("/api/orders", json=new_order())).headers["location"]
        paid = await ada.post(f"{url}/payments", json=body)
        assert (paid.status_code, paid.json().get("amount")) == (status, "31.18" if status == 200 else None), body


async def test_who_is_not_signed_in_only_orders_and_reads(client: AsyncClient) -> None:
    url = (await client.post("/api/orders", json=new_order())).headers["location"]
    steps: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PUT", "cook", {"kitchen_staff_id": "x", "estimated_cooking_time_minutes": 1}),
        ("PUT", "pizzas/0/ready", None),
        ("POST", "payments", {"amount": "1.00"}),
        ("POST", "cancel", None),
        ("PUT", "address", {"customer_address": "x"}),
    ]
    for method, step, body in steps:
        assert (await client.request(method, f"{url}/{step}", json=body)).status_code == 401, step


async def test_each_mistake_has_its_status(client: AsyncClient, callers: Callers) -> None:
    cook = await cook_of(callers)
    nowhere = f"/api/orders/{uuid4()}"
    unknown = new_order(pizza_items=[{"pizza_id": "calzone", "size": "small", "toppings": []}])
    huge = new_order(pizza_items=[{"pizza_id": "margherita", "size": "huge", "toppings": []}], customer_phone="12")

    assert (await client.post("/api/orders", json=unknown)).status_code == 400
    refused = await client.post("/api/orders", json=huge)
    assert (refused.status_code, set(refused.json()["errors"])) == (422, {"customer_phone", "pizza_items.0.size"})
    assert (await client.post("/api/orders", json=new_order(pizza_items=[]))).status_code == 422
    assert (await client.post("/api/orders", json=new_order(payment_method="shells"))).status_code == 422
    for path in ("", "/status", "/timeline"):
        assert (await client.get(nowhere + path)).json()["type"] == "urn:problem:not_found"

    url = (await client.post("/api/orders", json=new_order())).headers["location"]
    assert (await cook.put(f"{url}/pizzas/0/ready")).status_code == 409
    cooking = {"kitchen_staff_id": "staff-7", "estimated_cooking_time_minutes": 20}
    assert (await cook.put(f"{url}/cook", json=cooking)).status_code == 200
    assert (await cook.put(f"{url}/cook", json=cooking)).status_code == 409
    assert (await cook.put(f"{url}/pizzas/2/ready")).status_code == 400
    assert (await cook.post(f"{url}/cancel")).status_code == 409


@pytest.fixture
def small_kitchen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kitchen that can make one order at a time."""
    monkeypatch.setenv("KITCHEN_CAPACITY", "1")


@pytest.mark.usefixtures("small_kitchen")
async def test_a_full_kitchen_says_when_to_try_again(client: AsyncClient) -> None:
    assert (await client.post("/api/orders", json=new_order())).status_code == 201
    full = await client.post("/api/orders", json=new_order())
    assert (full.status_code, full.json()["type"]) == (503, "urn:problem:unavailable")
    assert 60 <= int(full.headers["retry-after"]) <= 33 * 60


async def test_who_has_no_account_any_more_orders_nothing_with_it(
    client: AsyncClient, callers: Callers, service: RunningService
) -> None:
    ada, bob, admin = await callers.member(), await callers.member(), await callers.administrator()
    key = {"Idempotency-Key": "again"}
    for customer in (ada, bob):
        assert (await customer.post("/api/orders", json=new_order(), headers=key)).status_code == 201
    assert (await admin.post(f"{ada.url}/deactivate")).status_code == 204
    assert (await bob.delete(bob.url)).status_code == 204
    for customer in (ada, bob):
        again = await customer.post("/api/orders", json=new_order(), headers=key)
        another = await customer.post("/api/orders", json=new_order(payment_method="card"))
        assert (again.status_code, another.status_code) == (401, 401)
    await service.bus.settled()
    assert (await payments_of(service)).charged == {}
    assert (await client.post("/api/orders", json=new_order())).status_code == 201, "as a stranger"


async def test_a_token_that_is_sent_wrongly_is_not_taken_for_none(client: AsyncClient, callers: Callers) -> None:
    token = (await callers.member()).headers["Authorization"].removeprefix("Bearer ")
    for scheme in ("", "Token ", "Basic "):
        headers = {"Authorization": scheme + token}
        assert (await client.post("/api/orders", json=new_order(), headers=headers)).status_code == 401, scheme
