"""A fake payment provider: no money moves. Everything else works with it, and it can be made to fail."""

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
        logger.warning("payments_faked", cure="Let PAYMENT_URL name a payment provider.")
    yield MemoryPayments()


class MemoryPayments:
    """Approves every card but one. Its charges and refunds can be inspected.

    After `failures.append(TimeoutError())` the next call raises that error; a charge that times out is made anyway.
    """

    def __init__(self) -> None:
        self.charged: dict[str, tuple[str, Charge]] = {}
        """Key -> the payment's id, and the charge."""
        self.refunded: list[str] = []
        self._closed: set[str] = set()
        self.failures: deque[Exception] = deque()

    async def charge(self, charge: Charge) -> str:
        """Approve a charge, once for each key. The test card, and a key that was refunded before, are declined."""
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
        """Record the refund of this key; later charges with the key are declined."""
        if self.failures:
            raise self.failures.popleft()
        self._closed.add(key)
        if key in self.charged and (payment_id := self.charged[key][0]) not in self.refunded:
            self.refunded.append(payment_id)
