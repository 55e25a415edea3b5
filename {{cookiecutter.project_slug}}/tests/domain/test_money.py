from decimal import Decimal

import pytest

from app.domain.money import amount_problem, rounded


@pytest.mark.parametrize(
    ("amount", "cents"), [("1.005", "1.01"), ("1.0049", "1.00"), ("2.675", "2.68"), ("3", "3.00"), ("0.125", "0.13")]
)
def test_half_a_cent_is_rounded_up(amount: str, cents: str) -> None:
    assert str(rounded(Decimal(amount))) == cents


def test_an_amount_is_one_or_is_none() -> None:
    good, bad = ("0.01", "12.5", "1000000"), ("0", "-1", "0.001", "12.345", "1000000.01", "NaN", "Infinity")
    assert [amount for amount in (*good, *bad) if amount_problem(Decimal(amount)) is None] == [*good]


def test_something_may_have_a_limit_of_its_own() -> None:
    assert amount_problem(Decimal("10.00"), largest=Decimal("10.00")) is None
    assert amount_problem(Decimal("10.01"), largest=Decimal("10.00")) == "must be 0.01 to 10.00"
