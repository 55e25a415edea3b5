from decimal import Decimal

import pytest

from app.domain.money import amount_problem, rounded


@pytest.mark.parametrize(
    ("amount", "cents"), [("1.005", "1.01"), ("1.0049", "1.00"), ("2.675", "2.68"), ("3", "3.00"), ("0.125", "0.13")]
)
def test_half_a_cent_is_rounded_up(amount: str, cents: str) -> None:
    assert str(rounded(Decimal(amount))) == cents


@pytest.mark.parametrize("amount", ["0.01", "12.5", "1000000"])
def test_amounts_that_are_amounts(amount: str) -> None:
    assert amount_problem(Decimal(amount)) is None


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "12.345", "1000000.01", "NaN", "Infinity"])
def test_amounts_that_are_none(amount: str) -> None:
    assert amount_problem(Decimal(amount)) is not None


def test_nothing_may_be_an_amount_too() -> None:
    assert amount_problem(Decimal(0), smallest=Decimal(0)) is None
