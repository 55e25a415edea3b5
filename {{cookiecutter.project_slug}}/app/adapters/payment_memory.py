"""A payment provider that is none: no money moves. It makes everything else work, and can be told to fail."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import structlog

from app.core.config import Settings
from app.domain.payments import Charge, PaymentDeclinedError

DECLINED_CARD = "tok_declined"
"""The test card that is always declined."""

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def open_payments(url: str, settings: Settings) -> AsyncIterator["MemoryPayments"]:
    """The provider of `memory://`."""
    if settings.environment == "production":
        logger.warning("payments_are_pretended", cure="Let PAYMENT_URL name a payment provider.")
    yield MemoryPayments()


class MemoryPayments:
    """Approves every card but one. What was charged and given back is there to look at.

    Tell it `failures.append(TimeoutError())` and the next call fails so; a charge that times out was made all the same.
    """

    def __init__(self) -> None:
        self.charged: dict[str, tuple[str, Charge]] = {}
        """Key -> the payment's id, and what was charged."""
        self.refunded: list[str] = []
        self._closed: set[str] = set()
        self.failures: deque[Exception] = deque()

    async def charge(self, charge: Charge) -> str:
        """Approve, unless it is the card that is always declined, or comes after its refund. Once for each key."""
        failure = self.failures.popleft() if self.failures else None
        if failure is not None and not isinstance(failure, TimeoutError):
            raise failure
        if charge.key in self._closed:
            raise PaymentDeclinedError("The payment was given back.")
        if charge.key not in self.charged and charge.card_token == DECLINED_CARD:
            raise PaymentDeclinedError("The card was declined.", details={"card_token": "was declined"})
        payment_id, _ = self.charged.setdefault(charge.key, (f"pay_{uuid4().hex}", charge))
        if failure is not None:
            raise failure
        return payment_id

    async def refund(self, key: str) -> None:
        """Note that it was given back."""
        if self.failures:
            raise self.failures.popleft()
        self._closed.add(key)
        if key in self.charged and (payment_id := self.charged[key][0]) not in self.refunded:
            self.refunded.append(payment_id)
