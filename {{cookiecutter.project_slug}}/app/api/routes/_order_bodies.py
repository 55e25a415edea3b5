"""Bodies of requests about orders."""

from typing import Annotated

from pydantic import Field

from app.api.models import Amount, Body, Text
from app.api.shapes import WHITE, amount, body_config, line, shaped, text
from app.domain.customer import FEWEST_DIGITS, LONGEST_ADDRESS, LONGEST_NAME, LONGEST_PHONE, MOST_DIGITS
from app.domain.menu import LONGEST_ID, MOST_MINUTES, SIZES
from app.domain.order_line import LONGEST_REASON, LONGEST_STAFF_ID, PaymentMethod
from app.domain.order_wish import LONGEST_CARD_TOKEN, LONGEST_INSTRUCTIONS, MOST_PIZZAS, MOST_TOPPINGS

BETWEEN, BESIDE = "[ ()./-]", "[()./-]"
"""What may stand between the digits of a phone number, and what at its edges."""
BEGINNING, END = rf"(?:\+{BETWEEN}*|{BESIDE}{BETWEEN}*)?", f"(?:{BETWEEN}*{BESIDE})?"
DIGITS = f"(?:[0-9]{BETWEEN}*){{{FEWEST_DIGITS - 1},{MOST_DIGITS - 1}}}[0-9]"
PHONE = BEGINNING + DIGITS + END

Phone = Annotated[Text, shaped(maxLength=LONGEST_PHONE, pattern=f"^{PHONE}$")]
Address = Annotated[
    Text, shaped(minLength=1, maxLength=LONGEST_ADDRESS, pattern=rf"^[^\u0000]*[^\u0000{WHITE}][^\u0000]*$")
]
Minutes = Annotated[int, shaped(minimum=1, maximum=MOST_MINUTES)]
Index = Annotated[int, shaped(minimum=0, maximum=MOST_PIZZAS - 1)]
CardToken = Annotated[Text, line(LONGEST_CARD_TOKEN)]
CASH = {"card_token": {"type": "string"}, "payment_method": {"const": "cash"}}


class PizzaItem(Body):
    """One pizza of an order to place."""

    pizza_id: Annotated[Text, line(LONGEST_ID)]
    size: Annotated[str, shaped(enum=[*SIZES])] = "medium"
    toppings: Annotated[tuple[Annotated[Text, line(LONGEST_ID)], ...], shaped(maxItems=MOST_TOPPINGS)] = ()
    special_instructions: Annotated[Text, text(LONGEST_INSTRUCTIONS)] | None = None


class OrderToPlace(Body):
    """An order to place: the customer, the address, the pizzas and the payment."""

    model_config = body_config(
        {
            "customer_name": "Luigi",
            "customer_phone": "+1 (555) 010-9999",
            "customer_address": "1 High Street",
            "pizza_items": [{"pizza_id": "pepperoni", "size": "large", "toppings": ["extra_cheese"]}],
        },
        impossible={"required": ["card_token"], "properties": CASH},
    )

    customer_name: Annotated[Text, line(LONGEST_NAME)]
    customer_phone: Phone
    customer_address: Address
    pizza_items: Annotated[list[PizzaItem], shaped(minItems=1, maxItems=MOST_PIZZAS)]
    payment_method: PaymentMethod = "cash"
    card_token: Annotated[
        CardToken | None, Field(description="The payment provider's word for a card; only for payment by card.")
    ] = None


class CookingStart(Body):
    """The cook, as free text, and the estimated cooking time in minutes."""

    model_config = body_config({"kitchen_staff_id": "Mario", "estimated_cooking_time_minutes": 15})

    kitchen_staff_id: Annotated[Text, line(LONGEST_STAFF_ID)]
    estimated_cooking_time_minutes: Minutes


class ReadyPizza(Body):
    """The actual cooking time."""

    model_config = body_config({"actual_cooking_time_minutes": 14})

    actual_cooking_time_minutes: Minutes | None = None


class Payment(Body):
    """A payment; without a card token, the card given with the order is charged."""

    model_config = body_config({"amount": "22.29", "card_token": "tok_visa"})

    amount: Annotated[Amount, amount(zeros=6)]
    card_token: CardToken | None = None


class Cancellation(Body):
    """The reason for a cancellation."""

    model_config = body_config({"reason": "ordered twice"})

    reason: Annotated[Text, line(LONGEST_REASON)] = "cancelled by the customer"


class NewAddress(Body):
    """The new address of an order."""

    model_config = body_config({"customer_address": "2 High Street"})

    customer_address: Address
