import pytest

from app.composition.container import RunningService
from app.domain.menu import PizzaWish
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_popular_pizzas_handler import GetPopularPizzasQuery
from app.read_models import popular_pizzas
from app.read_models.popular_pizzas import PopularPizzaView
from tests.orders import MARGHERITA, PEPPERONI, ZUCCA, let_order_before, placed
from tests.rows import deliver_again
from tests.users import Person


async def test_the_most_ordered_first_and_each_order_once(service: RunningService, cook: Person) -> None:
    bus = service.bus
    for pizzas in ((MARGHERITA, PEPPERONI), (PEPPERONI,)):
        await placed(bus, pizza_items=pizzas)
    small = PizzaWish("pepperoni", "small")
    gone = await placed(bus, pizza_items=(MARGHERITA, MARGHERITA, ZUCCA, small))
    (await cook.command(CancelOrderCommand(gone))).unwrap()

    async def popular(query: GetPopularPizzasQuery) -> list[PopularPizzaView]:
        return (await cook.query(query)).unwrap()

    await bus.settled()
    first, second = await popular(GetPopularPizzasQuery())
    assert (first.name, first.quantity, str(first.revenue), first.sizes) == ("Pepperoni", 2, "44.58", None)
    assert (second.name, second.quantity, str(second.revenue)) == ("Margherita", 1, "12.99")
    (detailed,) = await popular(GetPopularPizzasQuery(limit=1, include_details=True))
    assert detailed.sizes is not None
    assert [(size.size, size.quantity, str(size.revenue)) for size in detailed.sizes] == [("large", 2, "44.58")]
    await deliver_again(service)
    assert await popular(GetPopularPizzasQuery()) == [first, second]


async def test_the_sizes_are_those_of_the_pizzas_though_some_are_ordered_meanwhile(
    cook: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await placed(cook)
    await cook.bus.settled()
    let_order_before(popular_pizzas, "_sizes", cook, monkeypatch)
    popular = (await cook.query(GetPopularPizzasQuery(include_details=True))).unwrap()
    assert len(popular) == 2
    for pizza in popular:
        assert pizza.sizes and sum(size.quantity for size in pizza.sizes) == pizza.quantity == 1
