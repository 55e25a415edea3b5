from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cqrs import BadRequestError
from app.domain.menu import SIZES, Changes, MenuItem, PizzaWish, price_of
from app.domain.order_events import MenuUpdated

PRICES = st.decimals(Decimal("0.01"), Decimal("999.99"), places=2)
IN_PERCENT = {"small": 80, "medium": 100, "large": 130}
TOPPINGS = {"extra_cheese": Decimal("1.50"), "olives": Decimal("1.00"), "gold": Decimal("99.00")}


def margherita(**fields: Any) -> MenuItem:
    item = MenuItem()
    known = {
        "id": "margherita",
        "name": "Margherita",
        "description": "Tomato, mozzarella and basil",
        "category": "pizza",
        "base_price": Decimal("12.99"),
        "preparation_minutes": 15,
        "sizes": ["small", "medium", "large"],
        "toppings": ["extra_cheese", "olives"],
        "is_seasonal": False,
        "is_available": True,
    }
    for name, value in {**known, **fields}.items():
        setattr(item, name, value)
    return item


@given(PRICES, st.sampled_from(sorted(SIZES)), st.lists(PRICES, max_size=8))
def test_a_price_is_right_to_the_cent(base: Decimal, size: str, toppings: list[Decimal]) -> None:
    hundredths_of_cents = int(Fraction(base) * 100) * IN_PERCENT[size]
    cents = (hundredths_of_cents + 50) // 100 + sum(int(Fraction(topping) * 100) for topping in toppings)
    assert price_of(base, size, toppings) == Decimal(cents) / 100


@pytest.mark.parametrize(
    ("base", "size", "price"),
    [("12.99", "small", "10.39"), ("12.99", "medium", "12.99"), ("12.99", "large", "16.89"), ("0.05", "large", "0.07")],
)
def test_half_a_cent_is_rounded_up(base: str, size: str, price: str) -> None:
    assert price_of(Decimal(base), size, []) == Decimal(price)


def test_a_line_of_an_order_says_what_was_ordered_and_what_it_costs() -> None:
    ordered = margherita().ordered(PizzaWish("margherita", "large", ("extra_cheese",), "well done"), TOPPINGS)
    assert (ordered.pizza_id, ordered.name, ordered.size) == ("margherita", "Margherita", "large")
    assert (ordered.price, ordered.preparation_minutes) == (Decimal("18.39"), 15)
    assert (ordered.toppings, ordered.special_instructions) == (("extra_cheese",), "well done")


@pytest.mark.parametrize(
    ("fields", "wish", "named"),
    [
        ({"is_available": False}, PizzaWish("margherita", "small"), "pizza_id"),
        ({"sizes": ["medium"]}, PizzaWish("margherita", "small"), "size"),
        ({}, PizzaWish("margherita", "huge"), "size"),
        ({}, PizzaWish("margherita", "small", ("gold",)), "toppings"),
        ({"toppings": ["unheard_of"]}, PizzaWish("margherita", "small", ("unheard_of",)), "toppings"),
    ],
)
def test_what_is_not_to_be_had_is_refused(fields: dict[str, Any], wish: PizzaWish, named: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        margherita(**fields).ordered(wish, TOPPINGS)
    assert list(raised.value.details) == [named]


def test_a_change_tells_what_is_different() -> None:
    item = margherita()
    assert item.update(Changes(base_price=Decimal("13.49"), sizes=("medium",), name="Margherita")) == (
        "base_price",
        "sizes",
    )
    assert (item.base_price, item.sizes) == (Decimal("13.49"), ["medium"])
    (raised,) = item.take_events()
    assert isinstance(raised.event, MenuUpdated)
    assert (raised.event.pizza_id, raised.event.changed) == ("margherita", ("base_price", "sizes"))


def test_what_changes_nothing_raises_nothing() -> None:
    item = margherita()
    assert item.update(Changes(is_available=True)) == ()
    assert item.take_events() == []
