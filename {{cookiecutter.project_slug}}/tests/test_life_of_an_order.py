"""An evening at the pizzeria, over HTTP: a real server on a real database, and every sum in the books to the cent."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client, Response
from typer.testing import CliRunner

from app.cli import app
from tests.books import Books, Entry, Json, PrintedMenu, Sold, history_told, pizza, popularity_told, sales_told
from tests.processes import PATIENCE_SECONDS
from tests.server import environment_for, serving

PEACH = "peach"
PASSWORD = "correct horse battery staple"
DINNER = [pizza("margherita", "large", "extra_cheese"), pizza("pepperoni", "small"), pizza("margherita", "medium")]
LUNCH = [pizza("margherita", "large"), pizza("zucca", "large", "olives", "mushrooms"), pizza("zucca", "small")]
PARTY = [pizza("quattro_formaggi", "large", "basil")] * 10
BY_CARD = {"payment_method": "card", "card_token": "tok_visa"}
BY_A_BAD_CARD = {"payment_method": "card", "card_token": "tok_declined"}


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
    luigi, peach = house.member("luigi"), house.member(PEACH)
    joins_the_staff(luigi, mario)
    books = Books(read_menu(guest, changed_by=luigi))

    dinner = order(peach, DINNER, books, end="completed")
    is_cooked(luigi, dinner, pizzas=len(DINNER))
    order(peach, LUNCH, books, end="pending")
    change_ones_mind(peach, order(peach, DINNER, books, end="cancelled"))
    is_cancelled_for_its_card(guest, order(peach, PARTY, books, end="cancelled", **BY_A_BAD_CARD))
    is_paid(guest, order(guest, PARTY, books, end="pending", **BY_CARD))

    history_is_right(peach, books)
    timeline_is_right(guest, dinner)
    reports_are_right(luigi, books)


def joins_the_staff(cook: Client, administrator: Client) -> None:
    """Who may not look into the kitchen may do so then."""
    assert cook.get("/api/kitchen/queue").status_code == 403
    me = told(cook.get("/api/users/me"))
    assert administrator.put(f"/api/users/{me['id']}/roles/staff").status_code == 204
    assert told(cook.get("/api/kitchen/queue")) == []


def read_menu(guest: Client, changed_by: Client) -> PrintedMenu:
    """The menu, after a price was changed: at this one a large pizza comes to half a cent."""
    before = {item["id"]: item["base_price"] for item in told(guest.get("/api/menu"))}
    told(changed_by.put("/api/menu/margherita", json={"base_price": "12.85"}))
    menu = told(guest.get("/api/menu"))
    assert {item["id"]: item["base_price"] for item in menu} == {**before, "margherita": "12.85"} != before
    return PrintedMenu(menu)


def order(customer: Client, wishes: Sequence[Json], books: Books, end: str, **payment: str) -> str:
    """Order, be told the price, and wait; the order's URL. What is to become of it goes into the books."""
    who = {"customer_name": "Peach", "customer_phone": "+1 (555) 010-9999", "customer_address": "The Castle"}
    placed = customer.post("/api/orders", json={**who, "pizza_items": wishes, **payment})
    assert placed.status_code == 201
    url = placed.headers["Location"]
    status = told(customer.get(f"{url}/status"))
    assert status["status"] == "pending" or payment, "A card may be refused before we look."
    assert [Decimal(pizza["price"]) for pizza in status["pizzas"]] == [books.menu.price(wish) for wish in wishes]
    assert Decimal(placed.json()["total_amount"]) == Decimal(status["total_amount"]) == books.menu.total(wishes)
    times = {name: datetime.fromisoformat(status[name]) for name in ("order_time", "estimated_ready_time")}
    assert times["estimated_ready_time"] - times["order_time"] == books.menu.takes(wishes)
    books.entries.append(
        Entry(PEACH if "Authorization" in customer.headers else None, times["order_time"].date(), wishes, end)
    )
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


def change_ones_mind(customer: Client, url: str) -> None:
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


def history_is_right(customer: Client, books: Books) -> None:
    """All orders are listed, the last first; those that were cancelled cost nothing, and nobody ate them."""
    history = told(customer.get("/api/orders/history"))
    mine = [entry for entry in books.entries if entry.customer == PEACH]
    assert [one["status"] for one in history["items"]] == [entry.end for entry in reversed(mine)]
    assert [Decimal(one["total_amount"]) for one in history["items"]] == [
        books.menu.total(entry.wishes) for entry in reversed(mine)
    ]
    assert history["pagination"]["total_count"] == len(mine)
    assert history_told(history) == books.history_of(PEACH)


def timeline_is_right(caller: Client, url: str) -> None:
    """What happened to an order, in its order."""
    timeline = told(caller.get(f"{url}/timeline"))
    ready = ["PizzaReady"] * len(DINNER)
    assert [entry["event"] for entry in timeline] == ["OrderPlaced", "CookingStarted", *ready, "OrderCompleted"]
    times = [datetime.fromisoformat(entry["occurred_at"]) for entry in timeline]
    assert times == sorted(times)


def reports_are_right(staff: Client, books: Books) -> None:
    """What was sold, by day, by pizza and by size."""
    for day in books.days:
        eventually(partial(sales_of, staff, day), books.sales_on(day))
    eventually(partial(popularity_of, staff), books.popularity())


def sales_of(staff: Client, day: date) -> Json:
    """What was sold on a day, as the service tells it."""
    wanted = {"date": str(day), "include_details": "true"}
    return sales_told(told(staff.get("/api/reports/daily-sales", params=wanted)))


def popularity_of(staff: Client) -> Sold:
    """What was sold of each pizza and size, as the service tells it."""
    return popularity_told(told(staff.get("/api/reports/popular-pizzas", params={"include_details": "true"})))


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
