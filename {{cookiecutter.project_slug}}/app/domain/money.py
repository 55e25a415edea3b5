"""Money: decimal, in cents, never a float."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
LARGEST_AMOUNT = Decimal("1000000.00")


def rounded(amount: Decimal) -> Decimal:
    """The amount in whole cents; half a cent is rounded up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def amount_problem(amount: Decimal, largest: Decimal = LARGEST_AMOUNT) -> str | None:
    """The problem with an amount of money; None if there is none."""
    if not amount.is_finite() or not CENT <= amount <= largest:
        return f"must be {CENT} to {largest}"
    exponent = amount.as_tuple().exponent
    return None if isinstance(exponent, int) and exponent >= -2 else "must have at most 2 decimals"
