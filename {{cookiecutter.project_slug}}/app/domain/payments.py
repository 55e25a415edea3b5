"""The port to a payment provider."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from app.core.cqrs import BadRequestError, TransientError


class PaymentDeclinedError(BadRequestError):
    """The payment provider refuses to charge this card."""


class WrongAmountError(BadRequestError):
    """The amount is not what the order costs."""


class PaymentsUnreachableError(TransientError):
    """The payment provider does not answer; whether it charged the card is not known."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge to make. The card is charged once for each `key`, however often the charge is requested.

    `card_token` is the provider's token of a card, never a card number; None: the card that is stored at the provider.
    """

    key: str
    amount: Decimal
    card_token: str | None = None


def charge_key(order_id: UUID) -> str:
    """The idempotency key under which an order is charged."""
    return f"order:{order_id}"


class Payments(Protocol):
    """A payment provider."""

    async def charge(self, charge: Charge) -> str:
        """Charge a card, and return the provider's id of the payment.

        If the key was charged before, that payment is returned, whatever the card: its response may have been lost.

        Raises:
            PaymentDeclinedError: if the provider refuses the card, or the charge under the key was refunded.
            ConnectionError: if the provider cannot be reached.
            TimeoutError: if the provider does not answer in time; it may have charged the card.
        """
        ...

    async def refund(self, key: str) -> None:
        """Refund the charge under a key, if there is one, and refuse later charges under it.

        It takes the key, because a caller without a response to a charge does not know the payment's id, and the card
        may be charged. A charge that arrives after the refund is declined.

        Raises:
            ConnectionError: if the provider cannot be reached.
            TimeoutError: if the provider does not answer in time.
        """
