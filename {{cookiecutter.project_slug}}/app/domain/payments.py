"""What orders need of a payment provider."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from app.core.cqrs import BadRequestError, TransientError


class PaymentDeclinedError(BadRequestError):
    """The payment provider refuses to charge this card."""


class WrongAmountError(BadRequestError):
    """This is not what the order costs."""


class PaymentsUnreachableError(TransientError):
    """The payment provider does not answer; whether it charged the card is not known."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged. However often a charge is asked for under one `key`, the card is charged once.

    `card_token` is the provider's word for a card, never a card number; None: the card that the customer keeps there.
    """

    key: str
    amount: Decimal
    card_token: str | None = None


def charge_key(order_id: UUID) -> str:
    """The key that an order is charged under."""
    return f"order:{order_id}"


class Payments(Protocol):
    """A payment provider."""

    async def charge(self, charge: Charge) -> str:
        """Charge a card; the provider's id of the payment.

        What was charged under the key before answers, whatever card is named now: the answer may have been lost.

        Raises:
            PaymentDeclinedError: the provider refuses the card, or what was charged under the key was given back.
            ConnectionError: the provider cannot be reached.
            TimeoutError: the provider does not answer in time, and may have charged the card.
        """
        ...

    async def refund(self, key: str) -> None:
        """Give back what was charged under a key, if anything was, and charge nothing under it any more.

        By key, because who got no answer to a charge does not know the payment's id, and the card may be charged. A
        charge that was on its way meanwhile, and comes later, is declined.

        Raises:
            ConnectionError: the provider cannot be reached.
            TimeoutError: the provider does not answer in time.
        """
