"""The totals of 200 random orders, to the cent, and each read model made anew: as it was live."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from uuid import UUID

from app.cli.projections import projections
from app.core.container import RunningService, event_types, running_service
from app.core.cqrs import CQRSBus
from app.domain.menu import PizzaWish
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_daily_sales_handler import GetDailySalesQuery
from app.handlers.order.get_order_history_handler import GetOrderHistoryQuery
from app.handlers.order.get_orders_handler import GetOrdersQuery
from app.handlers.order.get_popular_pizzas_handler import GetPopularPizzasQuery
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.persistence.database import Database
from app.persistence.rebuilding import rebuild
from tests.databases import SqliteFiles, settings_for
from tests.orders import place_order, staff
from tests.rows import rows_of
from tests.users import People, Person

ORDERS = 200
PRICES = {"margherita": "12.99", "pepperoni": "15.99", "quattro_formaggi": "16.99", "zucca": "17.49"}
TOPPINGS = {"extra_cheese": "1.50", "mushrooms": "1.00", "olives": "1.00", "pepperoni": "2.00", "basil": "0.50"}
FACTORS = {"small": "0.8", "medium": "1", "large": "1.3"}


def price(wish: PizzaWish) -> Decimal:
    """What a pizza costs, calculated from the menu as it is printed."""
    toppings = sum((Decimal(TOPPINGS[name]) for name in wish.toppings), Decimal(0))
    exact = Decimal(PRICES[wish.pizza_id]) * Decimal(FACTORS[wish.size]) + toppings
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


@dataclass
class Books:
    """The totals, calculated here."""

    orders: Counter[UUID] = field(default_factory=Counter)
    spent: defaultdict[UUID, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    eaten: defaultdict[UUID, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    sold: Counter[tuple[str, str]] = field(default_factory=Counter)
    revenue: defaultdict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    total: Decimal = Decimal(0)
    ended: Counter[str] = field(default_factory=Counter)

    def enter(self, customer: UUID | None, wishes: tuple[PizzaWish, ...], end: str) -> None:
        """Note an order, and how it ended."""
        self.ended[end] += 1
        if end == "cancelled":
            return
        for wish in wishes:
            self.sold[wish.pizza_id, wish.size] += 1
            self.revenue[wish.pizza_id, wish.size] += price(wish)
        cost = sum(map(price, wishes), Decimal(0))
        self.total += cost
        if customer is not None:
            self.orders[customer] += 1
            self.spent[customer] += cost
            self.eaten[customer].update(wish.pizza_id for wish in wishes)


class Evening:
    """Customers who order at random, and a cook who keeps up with them more or less."""

    def __init__(self, bus: CQRSBus, cook: Person, customers: list[Person], seed: int) -> None:
        self.bus, self.cook, self.customers = bus, cook, customers
        self.random = random.Random(seed)
        self.books = Books()

    def wish(self) -> PizzaWish:
        """A pizza that somebody may like."""
        choose = self.random
        toppings = tuple(choose.sample(sorted(TOPPINGS), choose.randrange(4)))
        return PizzaWish(choose.choice(sorted(PRICES)), choose.choice(sorted(FACTORS)), toppings)

    async def serve(self) -> None:
        """One order from its beginning to some end."""
        customer = self.random.choice([None, *self.customers])
        wishes = tuple(self.wish() for _ in range(self.random.randint(1, 3)))
        end = self.random.choice(["pending", "cooking", "completed", "cancelled", "declined"])
        card = {"payment_method": "card", "card_token": "tok_declined"} if end == "declined" else {}
        command = place_order(pizza_items=wishes, **card)
        placed = await (self.bus.execute_command(command) if customer is None else customer.command(command))
        order_id = placed.unwrap().order_id
        if end in ("cooking", "completed"):
            (await self.cook.command(StartCookingCommand(order_id, "staff-7", 20))).unwrap()
        if end == "completed":
            for index in range(len(wishes)):
                (await self.cook.command(MarkPizzaReadyCommand(order_id, index))).unwrap()
        if end == "cancelled":
            (await self.cook.command(CancelOrderCommand(order_id))).unwrap()
        self.books.enter(None if customer is None else customer.id, wishes, "cancelled" if end == "declined" else end)


async def test_200_random_orders_add_up_live_and_made_anew(sqlite_files: SqliteFiles, tmp_path: Path) -> None:
    with sqlite_files.fresh(tmp_path) as url:
        async with running_service(settings_for(url)) as service:
            people = People(service.bus)
            customers = [await people.member() for _ in range(4)]
            evening = Evening(service.bus, await staff(people), customers, seed=7)
            for _ in range(ORDERS):
                await evening.serve()
            await service.bus.settled()

            await add_up(evening)
            await made_anew_is_the_same(service)


async def add_up(evening: Evening) -> None:
    """Every total is right to the cent."""
    books, cook = evening.books, evening.cook
    for customer in evening.customers:
        history = (await customer.query(GetOrderHistoryQuery(customer.id))).unwrap()
        assert (history.total_orders, history.total_spent) == (books.orders[customer.id], books.spent[customer.id])
        favourites = sorted(books.eaten[customer.id].items(), key=lambda eaten: (-eaten[1], eaten[0]))[:3]
        assert [(one.pizza_id, one.quantity) for one in history.favourite_pizzas] == favourites
    popular = (await cook.query(GetPopularPizzasQuery(include_details=True))).unwrap()
    sold = {(one.pizza_id, size.size): (size.quantity, size.revenue) for one in popular for size in one.sizes or ()}
    assert sold == {place: (count, books.revenue[place]) for place, count in books.sold.items()}
    assert sum(one.revenue for one in popular) == books.total
    (day,) = {order.order_time.date() for order in (await cook.query(GetOrdersQuery())).unwrap()}
    sales = (await cook.query(GetDailySalesQuery(day, include_details=True))).unwrap()
    assert (sales.total_revenue, sales.total_orders) == (books.total, ORDERS - books.ended["cancelled"])
    assert (sales.completed_orders, sales.cancelled_orders) == (books.ended["completed"], books.ended["cancelled"])
    assert sales.total_pizzas == books.sold.total() == sum(pizza.quantity for pizza in sales.pizzas or ())
    assert sum(pizza.revenue for pizza in sales.pizzas or ()) == books.total


async def made_anew_is_the_same(service: RunningService) -> None:
    """A rebuild of each read model ends as it was."""
    database = await service.container.get(Database)
    found = projections()
    assert set(found) == {
        "customer_history",
        "daily_sales",
        "kitchen_queue",
        "order_details",
        "order_summaries",
        "popular_pizzas",
    }
    for projection in found.values():
        live = [await rows_of(service, table) for table in projection.tables]
        assert all(live), "There is something to lose."
        await rebuild(database, event_types(), projection)
        assert [await rows_of(service, table) for table in projection.tables] == live
