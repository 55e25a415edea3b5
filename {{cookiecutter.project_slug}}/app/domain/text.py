"""Rules for text from outside, so that it means the same on every database."""

import re
import unicodedata
from collections.abc import Mapping

BREAKING = frozenset({"Cc", "Zl", "Zp"})
"""Unicode's categories of control characters, and of what ends a line or a paragraph."""
SURROGATE = re.compile("[\ud800-\udfff]")


def text_problem(value: str, longest: int, shortest: int = 0) -> str | None:
    """What is wrong with a text, if anything; lengths are in characters.

    PostgreSQL takes no NUL and nothing takes a lone surrogate.
    """
    if "\x00" in value:
        return "must not contain NUL characters"
    if SURROGATE.search(value):
        return "must be valid Unicode"
    if len(value) < shortest:
        return f"must have at least {shortest} characters" if value else "must not be empty"
    if len(value) > longest:
        return f"must have at most {longest} characters"
    return None


def line_problem(value: str, longest: int, shortest: int = 1) -> str | None:
    """What is wrong with a text of one line, such as a name."""
    problem = text_problem(value, longest, shortest)
    if problem is not None:
        return problem
    if any(unicodedata.category(letter) in BREAKING for letter in value):
        return "must not contain control characters"
    if value != value.strip():
        return "must not begin or end with a space"
    return None


def folded(value: str) -> str:
    """The form in which two texts are the same although one is written in capitals."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())


def only_problems(found: Mapping[str, str | None]) -> dict[str, str]:
    """Of what was found about each field, that which is a problem."""
    return {name: problem for name, problem in found.items() if problem is not None}
