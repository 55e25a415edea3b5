from decimal import Decimal

from app.core.cqrs import CQRSBus
from app.domain.menu import Changes
from app.handlers.order.get_menu_handler import GetMenuQuery
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from tests.users import People, Person


async def test_the_first_menu_has_what_everybody_knows_and_may_be_read_in_part(bus: CQRSBus) -> None:
    menu = {item.id: item for item in (await bus.execute_query(GetMenuQuery())).unwrap()}
    margherita, pepperoni = menu["margherita"], menu["pepperoni"]
    assert (margherita.base_price, margherita.preparation_minutes) == (Decimal("12.99"), 15)
    assert (pepperoni.base_price, pepperoni.preparation_minutes) == (Decimal("15.99"), 18)
    assert margherita.sizes == ("small", "medium", "large")
    assert "extra_cheese" in [topping.id for topping in margherita.toppings]
    assert {item.category for item in menu.values()} == {"pizza", "appetizers", "drinks"}
    for query, ids in (
        (GetMenuQuery("drinks"), ["espresso", "lemonade"]),
        (GetMenuQuery("pizza"), ["margherita", "pepperoni", "quattro_formaggi", "zucca"]),
        (GetMenuQuery("pizza", include_seasonal=False), ["margherita", "pepperoni", "quattro_formaggi"]),
    ):
        assert [item.id for item in (await bus.execute_query(query)).unwrap()] == ids


async def test_a_change_is_seen_at_once_and_otherwise_it_is_kept(bus: CQRSBus, people: People, cook: Person) -> None:
    ada = await people.member()
    await bus.execute_query(GetMenuQuery("drinks"))
    for is_available, hit in ((None, True), (False, False), (True, False), (False, False)):
        if is_available is not None:
            (await cook.command(UpdateMenuCommand("espresso", Changes(is_available=is_available)))).unwrap()
        read = await ada.query(GetMenuQuery("drinks"))
        assert read.cache_info and read.cache_info["hit"] is hit
        assert ("espresso" in [item.id for item in read.unwrap()]) is (is_available is not False)
    everything = (await bus.execute_query(GetMenuQuery("drinks", include_unavailable=True))).unwrap()
    assert [(item.id, item.is_available) for item in everything] == [("espresso", False), ("lemonade", True)]
