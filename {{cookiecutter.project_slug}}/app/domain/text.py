"""Rules for text from outside, so that it means the same on every database."""

import re
import unicodedata
from collections.abc import Mapping

BREAKING = frozenset({"Cc", "Zl", "Zp"})
"""Unicode's categories of control characters, line separators and paragraph separators."""
SURROGATE = re.compile("[\ud800-\udfff]")


def text_problem(value: str, longest: int, shortest: int = 0) -> str | None:
    """The problem with a text; None if there is none. Lengths are in characters.

    PostgreSQL accepts no NUL, and a lone surrogate cannot be encoded.
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
    """The problem with a text of one line, such as a name; None if there is none."""
    if problem := text_problem(value, longest, shortest):
        return problem
    if any(unicodedata.category(letter) in BREAKING for letter in value):
        return "must not contain control characters"
    if value != value.strip():
        return "must not begin or end with a space"
    return None


def folded(value: str) -> str:
    """The form for comparison without regard to case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())


def only_problems(found: Mapping[str, str | None]) -> dict[str, str]:
    """The fields with a problem."""
    return {name: problem for name, problem in found.items() if problem is not None}
