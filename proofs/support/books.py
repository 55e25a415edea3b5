"""What orders have to come to, calculated from the menu as it is printed and by nothing of the service."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

CENT = Decimal("0.01")
FACTORS = {"small": Decimal("0.8"), "medium": Decimal("1.0"), "large": Decimal("1.3")}
MOST_FAVOURITES = 3
Json = Mapping[str, Any]
Sold = Mapping[tuple[str, ...], tuple[int, Decimal]]
"""A pizza, or a pizza and a size -> how many, and for how much."""


def pizza(pizza_id: str, size: str, *toppings: str) -> Json:
    """A pizza, as an order asks for it."""
    return {"pizza_id": pizza_id, "size": size, "toppings": toppings}


class PrintedMenu:
    """The menu, as HTTP shows it."""

    def __init__(self, items: Sequence[Json]) -> None:
        self._prices = {item["id"]: Decimal(item["base_price"]) for item in items}
        self._minutes = {item["id"]: item["preparation_minutes"] for item in items}
        self._toppings = {topping["id"]: Decimal(topping["price"]) for item in items for topping in item["toppings"]}

    def price(self, wish: Json) -> Decimal:
        """What a pizza costs: half a cent is rounded up."""
        toppings = sum((self._toppings[one] for one in wish["toppings"]), Decimal(0))
        exact = self._prices[wish["pizza_id"]] * FACTORS[wish["size"]] + toppings
        return exact.quantize(CENT, ROUND_HALF_UP)

    def total(self, wishes: Sequence[Json]) -> Decimal:
        """What an order costs."""
        return sum((self.price(wish) for wish in wishes), Decimal("0.00"))

    def takes(self, wishes: Sequence[Json]) -> timedelta:
        """How long a customer is told to wait: pizzas are made one after the other."""
        return timedelta(minutes=sum(self._minutes[wish["pizza_id"]] for wish in wishes))


@dataclass(frozen=True)
class Entry:
    """An order; `customer` is None where nobody was signed in, and `end` is its status in the end."""

    customer: str | None
    day: date
    wishes: Sequence[Json]
    end: str


class Books:
    """All orders, and what they come to."""

    def __init__(self, menu: PrintedMenu) -> None:
        self.menu = menu
        self.entries: list[Entry] = []

    @property
    def days(self) -> list[date]:
        """When something was ordered: two days, for who counts past midnight."""
        return sorted({entry.day for entry in self.entries})

    def history_of(self, customer: str) -> Json:
        """What `GET /api/orders/history` tells, but for the page of orders."""
        kept = [entry for entry in self._kept() if entry.customer == customer]
        eaten = Counter(wish["pizza_id"] for entry in kept for wish in entry.wishes)
        favourites = sorted(eaten.items(), key=lambda one: (-one[1], one[0]))[:MOST_FAVOURITES]
        spent = sum((self.menu.total(entry.wishes) for entry in kept), Decimal("0.00"))
        return {"total_orders": len(kept), "total_spent": spent, "favourite_pizzas": favourites}

    def sales_on(self, day: date) -> Json:
        """What `GET /api/reports/daily-sales` tells, with its details."""
        ends = Counter(entry.end for entry in self.entries if entry.day == day)
        sold = [wish for entry in self._kept() if entry.day == day for wish in entry.wishes]
        return {
            "total_orders": ends.total() - ends["cancelled"],
            "completed_orders": ends["completed"],
            "cancelled_orders": ends["cancelled"],
            "total_pizzas": len(sold),
            "total_revenue": self.menu.total(sold),
            "pizzas": self._sold(sold, "pizza_id"),
        }

    def popularity(self) -> Sold:
        """What `GET /api/reports/popular-pizzas` tells of each pizza and size."""
        return self._sold([wish for entry in self._kept() for wish in entry.wishes], "pizza_id", "size")

    def _kept(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.end != "cancelled"]

    def _sold(self, sold: Sequence[Json], *by: str) -> Sold:
        """How many, and for how much, by these fields."""
        kinds = defaultdict[tuple[str, ...], list[Json]](list)
        for wish in sold:
            kinds[tuple(wish[name] for name in by)].append(wish)
        return {kind: (len(wishes), self.menu.total(wishes)) for kind, wishes in kinds.items()}


def history_told(history: Json) -> Json:
    """The totals in an answer of `GET /api/orders/history`."""
    favourites = [(one["pizza_id"], one["quantity"]) for one in history["favourite_pizzas"]]
    spent = Decimal(history["total_spent"])
    return {"total_orders": history["total_orders"], "total_spent": spent, "favourite_pizzas": favourites}


def sales_told(sales: Json) -> Json:
    """What an answer of `GET /api/reports/daily-sales` says, but for the day."""
    told = {name: sales[name] for name in sales if name not in ("date", "pizzas")}
    revenue = Decimal(told["total_revenue"])
    return {**told, "total_revenue": revenue, "pizzas": _sold_told(sales["pizzas"], "pizza_id")}


def popularity_told(report: Sequence[Json]) -> Sold:
    """What an answer of `GET /api/reports/popular-pizzas` says of each pizza and size."""
    sizes = [{**size, "pizza_id": one["pizza_id"]} for one in report for size in one["sizes"]]
    return _sold_told(sizes, "pizza_id", "size")


def _sold_told(sold: Sequence[Json], *by: str) -> Sold:
    return {tuple(one[name] for name in by): (one["quantity"], Decimal(one["revenue"])) for one in sold}
