"""The customer of an order: a name, a phone number and an address; an account is not needed."""

import re
from dataclasses import dataclass
from uuid import UUID

from app.domain.text import line_problem, only_problems, text_problem

PHONE = re.compile(r"\+?[0-9 ()./-]+")
FEWEST_DIGITS, MOST_DIGITS = 7, 15
LONGEST_NAME, LONGEST_PHONE, LONGEST_ADDRESS = 200, 40, 500


@dataclass(frozen=True)
class Customer:
    """The customer and the address of an order; `user_id` is that of the account, if there is one."""

    name: str
    phone: str
    address: str
    user_id: UUID | None = None

    def problems(self) -> dict[str, str]:
        """Field -> its problem."""
        return only_problems(
            {
                "customer_name": line_problem(self.name, LONGEST_NAME),
                "customer_phone": phone_problem(self.phone),
                "customer_address": address_problem(self.address),
            }
        )


def phone_digits(phone: str) -> str:
    """The digits of a phone number, which do not depend on how it is written."""
    return "".join(letter for letter in phone if letter in "0123456789")


def phone_problem(phone: str) -> str | None:
    """The problem with a phone number; None if there is none."""
    if problem := line_problem(phone, LONGEST_PHONE):
        return problem
    if PHONE.fullmatch(phone) is None:
        return "may have digits, a leading +, and spaces ( ) . / - between them"
    if not FEWEST_DIGITS <= len(phone_digits(phone)) <= MOST_DIGITS:
        return f"must have {FEWEST_DIGITS} to {MOST_DIGITS} digits"
    return None


def address_problem(address: str) -> str | None:
    """The problem with an address; None if there is none. It may have several lines."""
    problem = text_problem(address, LONGEST_ADDRESS, shortest=1)
    return problem if problem is not None or address.strip() else "must not be empty"
