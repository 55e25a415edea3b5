"""Rules for a requested order, as far as they need no menu."""

from collections.abc import Sequence

from app.domain.menu import LONGEST_ID, SIZES, PizzaWish
from app.domain.order_line import PAYMENT_METHODS
from app.domain.text import line_problem, only_problems, text_problem

MOST_PIZZAS = 50
MOST_TOPPINGS = 20
LONGEST_INSTRUCTIONS = 500
LONGEST_CARD_TOKEN = 200


def wish_problems(pizzas: Sequence[PizzaWish], payment_method: str, card_token: str | None) -> dict[str, str]:
    """Field -> its problem; a field of a pizza is called `pizza_items.0.size`. The payment may bring the token."""
    problems = only_problems(
        {
            "pizza_items": None if 1 <= len(pizzas) <= MOST_PIZZAS else f"must have 1 to {MOST_PIZZAS} items",
            "payment_method": None if payment_method in PAYMENT_METHODS else "must be cash or card",
            "card_token": card_token_problem(card_token),
        }
    )
    if card_token is not None and payment_method != "card":
        problems.setdefault("card_token", "is for payment by card")
    for index, pizza in enumerate(pizzas[:MOST_PIZZAS]):
        problems |= {f"pizza_items.{index}.{name}": problem for name, problem in pizza_problems(pizza).items()}
    return problems


def card_token_problem(card_token: str | None) -> str | None:
    """The problem with a card token; None if it is valid or absent."""
    return None if card_token is None else line_problem(card_token, LONGEST_CARD_TOKEN)


def pizza_problems(pizza: PizzaWish) -> dict[str, str]:
    """Field -> its problem."""
    instructions = pizza.special_instructions
    return only_problems(
        {
            "pizza_id": line_problem(pizza.pizza_id, LONGEST_ID),
            "size": None if pizza.size in SIZES else f"must be one of {', '.join(SIZES)}",
            "toppings": _toppings_problem(pizza.toppings),
            "special_instructions": None if instructions is None else text_problem(instructions, LONGEST_INSTRUCTIONS),
        }
    )


def _toppings_problem(toppings: Sequence[str]) -> str | None:
    if len(toppings) > MOST_TOPPINGS:
        return f"must have at most {MOST_TOPPINGS} items"
    return next(filter(None, (line_problem(topping, LONGEST_ID) for topping in toppings)), None)
