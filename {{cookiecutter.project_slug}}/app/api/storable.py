"""Refuses values of requests that code or a database cannot handle, whatever their declared types.

Each of them is valid as text, a number or a time, but would fail, or change its meaning, when it is stored.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from app.api.errors import MOST_ERRORS
from app.domain.text import text_problem

DEEPEST = 50
MOST_VALUES = 10_000
"""Of a body, at any depth. To check one takes far more memory and time than its bytes, before the caller is known."""
MOST_DIGITS = 20
"""Of a decimal number, written out. Python's decimals round after 28 digits, and rounding needs some of those."""
EXACT_DIGITS = 15
"""Of a JSON number with a fraction: a float preserves so many digits."""
DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
"""How the text of a decimal number is written; Python would also read `1e3`, `+1`, `1_000` and any script's digits."""
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # what SQLite counts durations from
JSON_TYPES = (str, int, float, dict, list, type(None))

Place = tuple[str | int, ...]
Problems = Iterator[tuple[Place, str]]


def require(title: str, problems: Problems) -> None:
    """Raise an error if there are problems.

    Raises:
        ValidationError: if there are any; it names the places of the first `MOST_ERRORS`.
    """
    found = [
        InitErrorDetails(type=PydanticCustomError("not_storable", "{text}", {"text": text}), loc=place, input=None)
        for place, text in islice(problems, MOST_ERRORS)
    ]
    if found:
        raise ValidationError.from_exception_data(title, found)


def count_problems(sent: Any, most: int) -> Problems:
    """The problem of JSON that holds more than so many values, in all its lists and objects together."""
    values: list[Any] = [sent]
    for value in values:  # which grow by what is inside
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value
        if len(values) > most:
            yield (), f"must hold at most {most} values"
            return


def sent_problems(sent: Any, at: Place = ()) -> Problems:
    """The problems of the JSON as it was sent, before it is validated against a type."""
    if len(at) > DEEPEST:
        yield at[:1], "is nested too deeply"
    elif isinstance(sent, str):
        if (problem := text_problem(sent, len(sent))) is not None:
            yield at, problem
    elif isinstance(sent, dict):
        for key, value in sent.items():
            if (problem := text_problem(str(key), len(str(key)))) is not None:
                yield at, f"has a key that {problem}"
            yield from sent_problems(value, (*at, key))
    elif isinstance(sent, list):
        for index, value in enumerate(sent):
            yield from sent_problems(value, (*at, index))


def is_json(sent: Any) -> bool:
    """Whether this came from JSON: a form may contain files."""
    if isinstance(sent, dict):
        return all(map(is_json, sent.values()))
    return all(map(is_json, sent)) if isinstance(sent, list) else isinstance(sent, JSON_TYPES)


def made_problems(sent: Any, made: Any, at: Place = ()) -> Problems:
    """The problems of a value that was parsed from text or JSON.

    Args:
        sent: the value as it was sent.
        made: the parsed value.
        at: its place.
    """
    parts = _parts(sent, made)
    if parts is None:
        if (problem := _problem(sent, made)) is not None:
            yield at, problem
        return
    if isinstance(made, Mapping) and isinstance(sent, dict) and len(sent) != len(made):
        yield at, "has two keys that mean the same"
    for name, one_sent, one_made in parts:
        yield from made_problems(one_sent, one_made, (*at, name))


def _parts(sent: Any, made: Any) -> list[tuple[str | int, Any, Any]] | None:
    """The parts of a value: name, value as sent, and parsed value; None: it has no parts."""
    if isinstance(made, BaseModel):
        declared = [(name, field.alias or name) for name, field in type(made).model_fields.items()]
        return [(alias, _member(sent, alias), getattr(made, name)) for name, alias in declared]
    if is_dataclass(made) and not isinstance(made, type):
        return [(one.name, _member(sent, one.name), getattr(made, one.name)) for one in fields(made)]
    if isinstance(made, Mapping):  # in the order in which it came
        came = list(sent.items()) if isinstance(sent, dict) and len(sent) == len(made) else [(None, None)] * len(made)
        pairs = list(zip(came, made.items(), strict=True))
        keys = [(str(key), sent_key, key) for (sent_key, _), (key, _) in pairs]
        return [*keys, *((str(key), one_sent, one_made) for (_, one_sent), (key, one_made) in pairs)]
    if isinstance(made, list | tuple):
        parts = sent if isinstance(sent, list) and len(sent) == len(made) else [None] * len(made)
        return [(index, one, made[index]) for index, one in enumerate(parts)]
    return [("[item]", None, one) for one in made] if isinstance(made, set | frozenset) else None


def _member(sent: Any, name: str) -> Any:
    return sent.get(name) if isinstance(sent, dict) else None


def _problem(sent: Any, made: Any) -> str | None:
    """The problem with a value that has no parts; None if there is none."""
    if isinstance(sent, bool) and not isinstance(made, bool):
        return "must not be true or false"  # to Python, true is 1
    match made:
        case bool() | None:
            return None
        case int() if not -(2**63) <= made < 2**63:
            return "must fit into 64 bits"
        case float() if not math.isfinite(made):
            return "must be a finite number"
        case Decimal():
            return _decimal_problem(sent, made)
        case date() if isinstance(sent, str) and "-" not in sent:
            return "must be a date such as 2026-01-31, not a number"  # of seconds since 1970
        case datetime():
            return _moment_problem(made)
        case time() if made.tzinfo is not None:
            return "must be a time of day without a zone"
        case timedelta() if not _fits(made):
            return "is too long a time"
    return None


def _decimal_problem(sent: Any, made: Decimal) -> str | None:
    exponent = made.as_tuple().exponent
    if not isinstance(exponent, int):
        return "must be a finite number"
    if max(made.adjusted() + 1, 1) + max(-exponent, 0) > MOST_DIGITS:
        return f"must have at most {MOST_DIGITS} digits"
    if isinstance(sent, str) and DECIMAL.fullmatch(sent) is None:
        return "must be a number such as 12.99"
    if isinstance(sent, float) and len(made.normalize().as_tuple().digits) > EXACT_DIGITS:
        return f"has more than {EXACT_DIGITS} digits: send it as text, a number would be rounded"
    return None


def _moment_problem(made: datetime) -> str | None:
    if made.tzinfo is None:
        return "must say its zone, such as 2026-01-31T12:00:00Z"
    try:
        made.astimezone(UTC)
    except OverflowError:
        return "must be in the years 1 to 9999"
    return None


def _fits(length: timedelta) -> bool:
    try:
        return EPOCH + length is not None
    except OverflowError:
        return False
