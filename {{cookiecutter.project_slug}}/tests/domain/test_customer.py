from typing import Any

import pytest

from app.domain.customer import Customer, phone_digits, phone_problem


def test_a_phone_number_is_one_or_is_none() -> None:
    good = ("5550123", "+1 (555) 010-9999", "030/123 45 67", "+49.30.1234567", "123456789012345", "555-0123")
    bad = ("", "555012", "1234567890123456", "555-CALL-ME", "5550123 ", "555+0123", "++5550123", "555\n0123", "٥٥٥٠١٢٣")
    assert [phone for phone in (*good, *bad) if phone_problem(phone) is None] == [*good]


def test_two_ways_of_writing_one_number_are_the_same() -> None:
    assert phone_digits("(555) 010-9999") == phone_digits("555 0109999") == "5550109999"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, {"customer_name"}),
        ({"name": "Lui\x00gi"}, {"customer_name"}),
        ({"phone": "12"}, {"customer_phone"}),
        ({"address": " \n "}, {"customer_address"}),
        ({"address": "x" * 501}, {"customer_address"}),
        ({"address": "1 High Street\nSpringfield"}, set()),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], named: set[str]) -> None:
    valid = {"name": "Luigi", "phone": "555 0123", "address": "1 High Street"}
    assert set(Customer(**{**valid, **fields}).problems()) == named
