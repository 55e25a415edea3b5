"""An evening at the pizzeria, over HTTP: a real server on a real database, and every sum in the books to the cent."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from httpx2 import Client, Response
from typer.testing import CliRunner

from app.cli import app
from tests.processes import PATIENCE_SECONDS
from tests.server import environment_for, serving

PASSWORD = "correct horse battery staple"
BY_CARD = {"payment_method": "card", "card_token": "tok_visa"}
BY_A_BAD_CARD = {"payment_method": "card", "card_token": "tok_declined"}


class Meal(NamedTuple):
    """What is ordered, and what it has to come to once a Margherita costs 12.85: in large that is half a cent more."""

    pizzas: list[tuple[str, str, list[str]]]
    prices: list[str]
    minutes: int

    @property
    def total(self) -> Decimal:
        """What it costs."""
        return sum(map(Decimal, self.prices), Decimal(0))


DINNER = Meal(
    [("margherita", "large", ["extra_cheese"]), ("pepperoni", "small", []), ("margherita", "medium", [])],
    ["18.21", "12.79", "12.85"],
    minutes=48,
)
LUNCH = Meal(
    [("margherita", "large", []), ("zucca", "large", ["olives", "mushrooms"]), ("zucca", "small", [])],
    ["16.71", "24.74", "13.99"],
    minutes=55,
)
PARTY = Meal([("quattro_formaggi", "large", ["basil"])] * 10, ["22.59"] * 10, minutes=180)

# What is left of two dinners, a lunch and two parties, of which one each was cancelled.
COUNTED = {"total_orders": 3, "completed_orders": 1, "cancelled_orders": 2, "total_pizzas": 16}
TOTALS = {**COUNTED, "total_revenue": Decimal("325.19")}
SOLD: list[dict[str, Any]] = [
    {"pizza_id": "margherita", "size": "large", "quantity": 2, "revenue": "34.92"},
    {"pizza_id": "margherita", "size": "medium", "quantity": 1, "revenue": "12.85"},
    {"pizza_id": "pepperoni", "size": "small", "quantity": 1, "revenue": "12.79"},
    {"pizza_id": "zucca", "size": "large", "quantity": 1, "revenue": "24.74"},
    {"pizza_id": "zucca", "size": "small", "quantity": 1, "revenue": "13.99"},
    {"pizza_id": "quattro_formaggi", "size": "large", "quantity": 10, "revenue": "225.90"},
]


class House:
    """The pizzeria's server, and who calls it."""

    def __init__(self, address: str, clients: ExitStack) -> None:
        self._address = address
        self._clients = clients

    def guest(self) -> Client:
        """Somebody who is not signed in."""
        return self._clients.enter_context(Client(base_url=self._address, timeout=PATIENCE_SECONDS))

    def member(self, name: str) -> Client:
        """Somebody who registers and signs in."""
        new = {"email": f"{name}@example.org", "username": name, "password": PASSWORD, "full_name": name}
        assert self.guest().post("/api/users", json=new).status_code == 201
        return self.signed_in(name)

    def signed_in(self, username: str) -> Client:
        """Somebody with an account."""
        caller = self.guest()
        tokens = told(caller.post("/api/auth/login", data={"username": username, "password": PASSWORD}))
        caller.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return caller


@pytest.fixture
def house(empty_database_url: str, tmp_path: Path) -> Iterator[House]:
    """A server on a database whose tables and administrator were made by the commands of operators."""
    environment = environment_for(empty_database_url)
    for words in (["db", "upgrade"], ["users", "create-admin", "mario@example.org", "--password-stdin"]):
        done = CliRunner().invoke(app, words, input=f"{PASSWORD}\n", env=environment)
        assert done.exit_code == 0, done.output
    with serving(tmp_path, environment) as server, ExitStack() as clients:
        yield House(server.address, clients)


def test_an_evening_from_the_menu_to_the_books(house: House) -> None:
    mario, guest = house.signed_in("mario@example.org"), house.guest()
    luigi, peach = house.member("luigi"), house.member("peach")
    joins_the_staff(luigi, mario)
    changes_a_price(luigi, guest)

    dinner = order(peach, DINNER)
    is_cooked(luigi, dinner, pizzas=len(DINNER.pizzas))
    urls = [dinner, order(peach, LUNCH)]
    urls.append(order(peach, DINNER))
    changes_her_mind(peach, urls[-1])
    urls.append(order(peach, PARTY, **BY_A_BAD_CARD))
    is_cancelled_for_its_card(guest, urls[-1])
    urls.append(order(guest, PARTY, **BY_CARD))
    is_paid(guest, urls[-1])

    history_is_right(peach)
    timeline_is_right(guest, dinner)
    reports_are_right(luigi, days={told(guest.get(url))["order_time"][:10] for url in urls})


def joins_the_staff(cook: Client, administrator: Client) -> None:
    """Who may not look into the kitchen may do so then."""
    assert cook.get("/api/kitchen/queue").status_code == 403
    me = told(cook.get("/api/users/me"))
    assert administrator.put(f"/api/users/{me['id']}/roles/staff").status_code == 204
    assert told(cook.get("/api/kitchen/queue")) == []


def changes_a_price(cook: Client, guest: Client) -> None:
    """That of the Margherita, and no other."""
    before = {item["id"]: item["base_price"] for item in told(guest.get("/api/menu"))}
    told(cook.put("/api/menu/margherita", json={"base_price": "12.85"}))
    after = {item["id"]: item["base_price"] for item in told(guest.get("/api/menu"))}
    assert after == {**before, "margherita": "12.85"} != before


def order(customer: Client, meal: Meal, **payment: str) -> str:
    """Order, be told the price, and wait; the order's URL."""
    who = {"customer_name": "Peach", "customer_phone": "+1 (555) 010-9999", "customer_address": "The Castle"}
    wishes = [{"pizza_id": pizza_id, "size": size, "toppings": toppings} for pizza_id, size, toppings in meal.pizzas]
    placed = customer.post("/api/orders", json={**who, "pizza_items": wishes, **payment})
    assert placed.status_code == 201
    url = placed.headers["Location"]
    status = told(customer.get(f"{url}/status"))
    assert status["status"] == "pending" or payment, "A card may be refused before we look."
    assert [pizza["price"] for pizza in status["pizzas"]] == meal.prices
    assert Decimal(placed.json()["total_amount"]) == Decimal(status["total_amount"]) == meal.total
    ordered, ready = (datetime.fromisoformat(status[name]) for name in ("order_time", "estimated_ready_time"))
    assert ready - ordered == timedelta(minutes=meal.minutes)
    return str(url)


def is_cooked(cook: Client, url: str, pizzas: int) -> None:
    """First in the queue, then in the oven, then ready, one pizza after the other."""
    assert [entry["status"] for entry in told(cook.get("/api/kitchen/queue"))] == ["pending"]
    told(cook.put(f"{url}/cook", json={"kitchen_staff_id": "staff-7", "estimated_cooking_time_minutes": 20}))
    for index in range(pizzas):
        status = told(cook.get(f"{url}/status"))
        assert status["status"] == "cooking"
        assert [pizza["is_ready"] for pizza in status["pizzas"]] == [number < index for number in range(pizzas)]
        told(cook.put(f"{url}/pizzas/{index}/ready", json={"actual_cooking_time_minutes": 7}))
    assert told(cook.get(f"{url}/status"))["status"] == "completed"
    assert told(cook.get("/api/kitchen/queue")) == []


def changes_her_mind(customer: Client, url: str) -> None:
    """Cancel, which nobody can do twice."""
    told(customer.post(f"{url}/cancel", json={"reason": "not hungry"}))
    assert told(customer.get(f"{url}/status"))["status"] == "cancelled"
    assert customer.post(f"{url}/cancel").status_code == 409


def is_cancelled_for_its_card(caller: Client, url: str) -> None:
    """The order was placed before anybody asked the card: it is taken back."""
    eventually(lambda: happened(caller, url), ["OrderPlaced", "PaymentDeclined", "OrderCancelled"])
    order = told(caller.get(url))
    assert (order["status"], order["payment_status"]) == ("cancelled", "declined")


def is_paid(caller: Client, url: str) -> None:
    """The card was good."""
    eventually(lambda: happened(caller, url), ["OrderPlaced", "PaymentProcessed"])
    order = told(caller.get(url))
    assert (order["status"], order["payment_status"]) == ("pending", "paid")


def history_is_right(customer: Client) -> None:
    """All orders are listed, the last first; those that were cancelled cost nothing, and nobody ate them."""
    history = told(customer.get("/api/orders/history"))
    assert [one["status"] for one in history["items"]] == ["cancelled", "cancelled", "pending", "completed"]
    meals = [PARTY, DINNER, LUNCH, DINNER]
    assert [Decimal(one["total_amount"]) for one in history["items"]] == [meal.total for meal in meals]
    assert (history["pagination"]["total_count"], history["total_orders"], history["total_spent"]) == (4, 2, "99.29")
    favourites = [(one["pizza_id"], one["quantity"]) for one in history["favourite_pizzas"]]
    assert favourites == [("margherita", 3), ("zucca", 2), ("pepperoni", 1)]


def timeline_is_right(caller: Client, url: str) -> None:
    """What happened to an order, in its order."""
    timeline = told(caller.get(f"{url}/timeline"))
    ready = ["PizzaReady"] * len(DINNER.pizzas)
    assert [entry["event"] for entry in timeline] == ["OrderPlaced", "CookingStarted", *ready, "OrderCompleted"]
    assert [entry["details"]["pizza_index"] for entry in timeline[2:-1]] == list(range(len(ready)))


def reports_are_right(staff: Client, days: set[str]) -> None:
    """What was sold, by day, by pizza and by size; the days are two, for who orders past midnight."""
    eventually(partial(sales_of, staff, days), (TOTALS, summed(SOLD, "pizza_id")))
    eventually(partial(popularity_of, staff), summed(SOLD, "pizza_id", "size"))


def sales_of(staff: Client, days: set[str]) -> Any:
    """What was sold on these days: in all, and of each pizza."""
    wanted = [{"date": day, "include_details": "true"} for day in days]
    sales = [told(staff.get("/api/reports/daily-sales", params=params)) for params in wanted]
    totals = {name: sum(Decimal(one[name]) for one in sales) for name in TOTALS}
    return totals, summed([pizza for one in sales for pizza in one["pizzas"]], "pizza_id")


def popularity_of(staff: Client) -> Any:
    """What was sold of each pizza and size."""
    report = told(staff.get("/api/reports/popular-pizzas", params={"include_details": "true"}))
    return summed([{**one, **size} for one in report for size in one["sizes"]], "pizza_id", "size")


def summed(sold: list[dict[str, Any]], *by: str) -> dict[tuple[str, ...], tuple[int, Decimal]]:
    """How many, and for how much."""
    found: dict[tuple[str, ...], tuple[int, Decimal]] = {}
    for line in sold:
        key = tuple(line[name] for name in by)
        quantity, revenue = found.get(key, (0, Decimal(0)))
        found[key] = (quantity + line["quantity"], revenue + Decimal(line["revenue"]))
    return found


def happened(caller: Client, url: str) -> list[str]:
    """The names of what happened to an order."""
    return [entry["event"] for entry in told(caller.get(f"{url}/timeline"))]


def told(response: Response) -> Any:
    """What an answer says."""
    assert response.status_code == 200, response.text
    return response.json()


def eventually(look: Callable[[], Any], expected: Any) -> None:
    """Wait for what comes a moment after the commit."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while look() != expected and time.monotonic() < ends:
        pass
    assert look() == expected
