"""What orders need of a payment provider."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from app.core.cqrs import BadRequestError, TransientError


class PaymentDeclinedError(BadRequestError):
    """The payment provider refuses to charge this card."""


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


class Payments(Protocol):
    """A payment provider."""

    async def charge(self, charge: Charge) -> str:
        """Charge a card; the provider's id of the payment.

        Raises:
            PaymentDeclinedError: the provider refuses.
            ConnectionError: the provider cannot be reached.
            TimeoutError: the provider does not answer in time, and may have charged the card.
        """
        ...

    async def refund(self, payment_id: str) -> None:
        """Give a payment back; one that was given back stays so.

        Raises:
            ConnectionError: the provider cannot be reached.
            TimeoutError: the provider does not answer in time.
        """
