"""What the document says about texts and amounts is what commands and queries check, to the letter."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app.api.models import Text
from app.api.routes._order_bodies import Address, CardToken, Phone
from app.api.routes._user_bodies import Email, FullName, Password, Username
from app.api.shapes import amount, line, text
from app.domain.customer import address_problem, phone_problem
from app.domain.menu import LARGEST_PRICE
from app.domain.money import LARGEST_AMOUNT, amount_problem
from app.domain.order_wish import card_token_problem
from app.domain.text import line_problem, text_problem
from app.domain.user import email_problem, full_name_problem, password_problem, username_problem

Rule = Callable[[str], str | None]
RULES: list[tuple[Any, Rule]] = [
    (Email, email_problem),
    (Username, username_problem),
    (FullName, full_name_problem),
    (Password, password_problem),
    (Phone, phone_problem),
    (Address, address_problem),
    (CardToken, card_token_problem),
    (Annotated[Text, line(4)], lambda value: line_problem(value, 4)),
    (Annotated[Text, line(4, shortest=2)], lambda value: line_problem(value, 4, 2)),
    (Annotated[Text, text(4)], lambda value: text_problem(value, 4)),
    (Annotated[Text, text(4, shortest=1)], lambda value: text_problem(value, 4, 1)),
]
EDGES = "\x00\x01\t\n\r\x1f \x7f\x85\xa0\u1680\u2009\u2028\u2029\u202f\u3000\ufeff"
PARTS = st.sampled_from([*EDGES, "a", "Z", "0", "7", "77", "+", "(", ")", "-", "_", "@", ".", "b@c.de", "é", "😀"])
TEXTS = st.one_of(st.text(max_size=12), st.lists(PARTS, max_size=14).map("".join))


def fits(schema: dict[str, Any], value: str) -> bool:
    """Whether a text fits a JSON schema; `$` is the end, as in JavaScript."""
    pattern = schema["pattern"].removesuffix("$") + r"\Z"
    is_long_enough = schema.get("minLength", 0) <= len(value) <= schema["maxLength"]
    return is_long_enough and re.search(pattern, value) is not None


@pytest.mark.parametrize(("kind", "problem"), RULES)
def test_a_text_fits_its_shape_exactly_if_the_rule_finds_no_problem(kind: Any, problem: Rule) -> None:
    schema = TypeAdapter(kind).json_schema()

    @given(TEXTS)
    @example("+1 (555) 010-9999")
    @example("a" * 254)
    @example("a" * 249 + "@b.de")
    @example("a" * 250 + "@b.de")
    @example("1" * 15)
    @example("1" * 16)
    def check(value: str) -> None:
        assert fits(schema, value) is (problem(value) is None), (value, problem(value))

    check()


@pytest.mark.parametrize("letter", sorted({*EDGES, *map(chr, range(0x300)), *map(chr, range(0x1FF0, 0x2070))}))
def test_each_odd_letter_is_told_apart(letter: str) -> None:
    schema = TypeAdapter(Annotated[Text, line(9)]).json_schema()
    for value in (letter, f"a{letter}b", f"{letter}b", f"a{letter}"):
        assert fits(schema, value) is (line_problem(value, 9) is None), repr(value)
        assert fits(TypeAdapter(Address).json_schema(), value) is (address_problem(value) is None), repr(value)


@pytest.mark.parametrize(("zeros", "largest"), [(6, LARGEST_AMOUNT), (4, LARGEST_PRICE)])
@given(st.from_regex(r"\A[0-9]{1,8}(\.[0-9]{1,3})?\Z"))
@example("0")
@example("0.00")
@example("0.01")
@example("007")
@example("10000")
@example("10000.00")
@example("10000.01")
@example("1000000")
@example("1000000.0")
@example("1000000.01")
@example("12.990")
def test_an_amount_fits_its_shape_exactly_if_the_rule_finds_no_problem(
    zeros: int, largest: Decimal, value: str
) -> None:
    number, as_text = TypeAdapter(Annotated[Decimal, amount(zeros)]).json_schema()["anyOf"]
    is_valid = amount_problem(Decimal(value), largest) is None and not re.match("0[0-9]", value)
    assert (re.search(as_text["pattern"], value) is not None) is is_valid
    assert json.dumps(number["maximum"]) == str(int(largest))
    assert number["minimum"] == 0.01
