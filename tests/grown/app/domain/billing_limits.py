"""What may be on an invoice."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class BillingLimits:
    """The largest amount of one invoice."""

    largest: Decimal
