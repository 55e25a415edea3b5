"""200 orders that hypothesis makes up: every sum is right to the cent, and each read model made anew is as it was."""

from asyncio import Runner
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cli.projections import projections
from app.composition.container import RunningService, event_types, running_service
from app.core.cqrs import CQRSBus
from app.domain.menu import SIZES, Changes, PizzaWish
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_daily_sales_handler import GetDailySalesQuery
from app.handlers.order.get_menu_handler import GetMenuQuery
from app.handlers.order.get_order_history_handler import GetOrderHistoryQuery
from app.handlers.order.get_popular_pizzas_handler import GetPopularPizzasQuery
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from app.persistence.engine.database import Database
from app.persistence.projections.rebuilding import rebuild
from support.books import Books, Entry, Json, PrintedMenu, history_told, pizza, popularity_told, sales_told
from tests.databases import SqliteFiles, settings_for
from tests.orders import place_order, staff
from tests.rows import rows_of
from tests.users import People, Person

ORDERS = 200
READ_MODELS = ("customer_history", "daily_sales", "kitchen_queue", "order_details", "order_summaries", "popular_pizzas")
CUSTOMERS = 3
PRICES = {"margherita": "12.85", "pepperoni": "15.99", "quattro_formaggi": "17.05", "zucca": "17.49"}
"""Two of them come to half a cent when they are large."""
ENDS = (*["pending"] * 3, "cooking", "completed", "cancelled", "declined")
USE_CASES = (
    *("place_order", "start_cooking", "mark_pizza_ready", "cancel_order", "process_payment", "process_order_workflow"),
    *("update_menu", "get_menu", "get_order_status", "get_order_history", "get_popular_pizzas", "get_daily_sales"),
)
HANDLERS = ("app.handlers.user", *(f"app.handlers.order.{name}_handler" for name in USE_CASES))
"""Without messages to customers and the like, which take as long as all the rest and keep no sums."""

toppings = st.lists(st.sampled_from(["extra_cheese", "mushrooms", "olives", "basil"]), max_size=3, unique=True)
wishes = st.builds(
    lambda pizza_id, size, toppings: pizza(pizza_id, size, *toppings),
    st.sampled_from(sorted(PRICES)),
    st.sampled_from(sorted(SIZES)),
    toppings,
)


class Evening:
    """Customers, and a cook who keeps up with them more or less; None is a customer without an account."""

    def __init__(self, bus: CQRSBus, cook: Person, customers: Sequence[Person | None], books: Books) -> None:
        self.bus, self.cook, self.customers, self.books = bus, cook, customers, books

    async def serve(self, customer: Person | None, wishes: Sequence[Json], end: str) -> None:
        """One order from its beginning to some end."""
        card = {"payment_method": "card", "card_token": "tok_declined"} if end == "declined" else {}
        command = place_order(pizza_items=tuple(PizzaWish(**wish) for wish in wishes), **card)
        result = await (self.bus.execute_command(command) if customer is None else customer.command(command))
        placed = result.unwrap()
        assert placed.total_amount == self.books.menu.total(wishes)
        if end in ("cooking", "completed"):
            (await self.cook.command(StartCookingCommand(placed.order_id, "staff-7", 20))).unwrap()
        if end == "completed":
            for index in range(len(wishes)):
                (await self.cook.command(MarkPizzaReadyCommand(placed.order_id, index))).unwrap()
        if end == "cancelled":
            (await self.cook.command(CancelOrderCommand(placed.order_id))).unwrap()
        day = (placed.estimated_ready_time - self.books.menu.takes(wishes)).date()
        name = None if customer is None else customer.username
        self.books.entries.append(Entry(name, day, wishes, "cancelled" if end == "declined" else end))


def test_200_orders_add_up_live_and_made_anew(sqlite_files: SqliteFiles, tmp_path: Path) -> None:
    with sqlite_files.fresh(tmp_path) as url, Runner() as runner, running_in(runner, url) as service:
        evening = runner.run(opened(service.bus))
        assert serve_whoever_comes(evening, runner) == set(ENDS)
        runner.run(service.bus.settled())

        runner.run(adds_up(evening))
        runner.run(made_anew_is_the_same(service))


@contextmanager
def running_in(runner: Runner, url: str) -> Iterator[RunningService]:
    """A service that works only while something is run, so that hypothesis has the time in between for itself."""
    context = running_service(settings_for(url), HANDLERS)
    try:
        yield runner.run(context.__aenter__())
    finally:
        runner.run(context.__aexit__(None, None, None))


async def opened(bus: CQRSBus) -> Evening:
    """Before the first order: who is there, and what it costs."""
    people = People(bus)
    cook = await staff(people)
    for pizza_id, price in PRICES.items():
        (await cook.command(UpdateMenuCommand(pizza_id, Changes(base_price=Decimal(price))))).unwrap()
    menu = (await bus.execute_query(GetMenuQuery())).unwrap()
    customers = [None, *[await people.member() for _ in range(CUSTOMERS)]]
    return Evening(bus, cook, customers, Books(PrintedMenu([item.model_dump() for item in menu])))


def serve_whoever_comes(evening: Evening, runner: Runner) -> set[str]:
    """200 orders, always the same; of one that goes wrong, hypothesis shows the smallest. The ends that there were."""
    ends: set[str] = set()

    @settings(
        max_examples=ORDERS,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        st.sampled_from(range(len(evening.customers))), st.lists(wishes, min_size=1, max_size=3), st.sampled_from(ENDS)
    )
    def serve(customer: int, wishes: list[Json], end: str) -> None:
        ends.add(end)
        runner.run(evening.serve(evening.customers[customer], wishes, end))

    serve()
    return ends


async def adds_up(evening: Evening) -> None:
    """Every total is right to the cent."""
    books, cook = evening.books, evening.cook
    assert len(books.entries) == ORDERS
    for customer in filter(None, evening.customers):
        history = (await customer.query(GetOrderHistoryQuery(customer.id))).unwrap()
        assert history_told(history.model_dump()) == books.history_of(customer.username)
    popular = (await cook.query(GetPopularPizzasQuery(include_details=True))).unwrap()
    assert popularity_told([one.model_dump() for one in popular]) == books.popularity()
    for day in books.days:
        sales = (await cook.query(GetDailySalesQuery(day, include_details=True))).unwrap()
        assert sales_told(sales.model_dump()) == books.sales_on(day)


async def made_anew_is_the_same(service: RunningService) -> None:
    """A rebuild of each read model ends as it was."""
    database = await service.container.get(Database)
    found = projections()
    for projection in (found[name] for name in READ_MODELS):
        live = [await rows_of(service, table) for table in projection.tables]
        assert all(live), "There is something to lose."
        await rebuild(database, event_types(), projection)
        assert [await rows_of(service, table) for table in projection.tables] == live
