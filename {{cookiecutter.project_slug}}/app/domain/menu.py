"""The menu: items, their sizes and their prices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

from app.core.cqrs import AggregateRoot, BadRequestError
from app.domain.money import amount_problem, rounded
from app.domain.order_events import MenuUpdated, OrderedPizza
from app.domain.text import line_problem, only_problems, text_problem

SIZES: Mapping[str, Decimal] = {"small": Decimal("0.8"), "medium": Decimal("1.0"), "large": Decimal("1.3")}
"""Size -> factor of the base price."""

Category = Literal["pizza", "appetizers", "drinks"]
CATEGORIES: tuple[str, ...] = get_args(Category)
LONGEST_NAME = 100
LONGEST_DESCRIPTION = 1000
MOST_MINUTES = 24 * 60
LONGEST_ID = 50
LARGEST_PRICE = Decimal("10000.00")
"""So that the largest order costs no more than the largest payment."""


@dataclass(frozen=True)
class PizzaWish:
    """One line of an order as the customer requested it."""

    pizza_id: str
    size: str
    toppings: tuple[str, ...] = ()
    special_instructions: str | None = None


@dataclass(frozen=True)
class Changes:
    """Changes of an item on the menu; None leaves a field as it is."""

    name: str | None = None
    description: str | None = None
    category: str | None = None
    base_price: Decimal | None = None
    preparation_minutes: int | None = None
    sizes: tuple[str, ...] | None = None
    toppings: tuple[str, ...] | None = None
    is_seasonal: bool | None = None
    is_available: bool | None = None

    def problems(self) -> dict[str, str]:
        """Field -> its problem; it is also wrong to change nothing."""
        if all(value is None for value in vars(self).values()):
            return {"name": "give something to change"}
        rules: Mapping[str, Callable[[Any], str | None]] = {
            "name": lambda name: line_problem(name, LONGEST_NAME),
            "description": lambda description: text_problem(description, LONGEST_DESCRIPTION),
            "category": lambda category: None if category in CATEGORIES else f"must be one of {', '.join(CATEGORIES)}",
            "base_price": lambda price: amount_problem(price, LARGEST_PRICE),
            "preparation_minutes": minutes_problem,
            "sizes": lambda sizes: (
                duplicates_problem(sizes)
                if sizes and set(sizes) <= set(SIZES)
                else f"must be some of {', '.join(SIZES)}"
            ),
            "toppings": duplicates_problem,
        }
        given = {name: value for name, value in vars(self).items() if name in rules and value is not None}
        return only_problems({name: rules[name](value) for name, value in given.items()})


def minutes_problem(minutes: int) -> str | None:
    """The problem with a duration in minutes; None if there is none."""
    return None if 1 <= minutes <= MOST_MINUTES else f"must be 1 to {MOST_MINUTES}"


def duplicates_problem(names: Sequence[str]) -> str | None:
    """The problem with names that must be unique; None if there is none."""
    return None if len(set(names)) == len(names) else "must not be repeated"


def price_of(base_price: Decimal, size: str, toppings: Sequence[Decimal]) -> Decimal:
    """The price of one pizza: the base price times the size's factor, and the toppings."""
    return rounded(base_price * SIZES[size] + sum(toppings, Decimal(0)))


class MenuItem(AggregateRoot):
    """An item on the menu. `id` is a word, such as `margherita`; `toppings` are those that may be put on it."""

    id: str
    name: str
    description: str
    category: str
    sizes: list[str]
    toppings: list[str]
    base_price: Decimal
    preparation_minutes: int
    is_seasonal: bool
    is_available: bool

    def ordered(self, wish: PizzaWish, topping_prices: Mapping[str, Decimal]) -> OrderedPizza:
        """A line of an order, with its price.

        Raises:
            BadRequestError: if it is not available at all, in this size, or with these toppings.
        """
        if not self.is_available:
            raise BadRequestError(f"{self.name} is not available now.", details={"pizza_id": "is not available"})
        if wish.size not in self.sizes:
            raise BadRequestError(f"{self.name} is not made in this size.", details={"size": "is not available"})
        if not set(wish.toppings) <= set(self.toppings) & topping_prices.keys():
            raise BadRequestError(
                f"{self.name} is not made with these toppings.", details={"toppings": "are not available"}
            )
        return OrderedPizza(
            pizza_id=self.id,
            name=self.name,
            size=wish.size,
            toppings=wish.toppings,
            special_instructions=wish.special_instructions,
            price=price_of(self.base_price, wish.size, [topping_prices[topping] for topping in wish.toppings]),
            preparation_minutes=self.preparation_minutes,
        )

    def update(self, changes: Changes) -> tuple[str, ...]:
        """Apply the given changes, and return the names of the fields that changed."""
        changed: list[str] = []
        for name, value in vars(changes).items():
            stored: Any = list(value) if isinstance(value, tuple) else value
            if stored is not None and stored != getattr(self, name):
                setattr(self, name, stored)
                changed.append(name)
        if changed:
            self.raise_event(MenuUpdated(pizza_id=self.id, changed=tuple(changed)))
        return tuple(changed)
