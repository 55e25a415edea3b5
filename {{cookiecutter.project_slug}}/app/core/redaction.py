"""Redaction: no secret is written to a log, whether its name or its form gives it away."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel
from structlog.types import EventDict

NAMES = r"passw|secret|token|authorization|cookie|api[_-]?key|credential|signature"
SECRET_NAME = re.compile(NAMES, re.IGNORECASE)
SECRET_TEXT = re.compile(
    r"(?P<url>\w://[^\s:/@]*:)[^\s/@]+(?=@)"  # the password in the address of a server
    r"|(?P<bearer>\bbearer\s+)[^\s\"',]+"
    r"|\beyJ[\w-]{1,2000}\.[\w-]+\.[\w-]*",  # a token of this service, anywhere in the text
    re.IGNORECASE,
)
"""Each match contains "://", "bearer" or "eyj", and searching for them takes a tenth of the time."""
NAMED_TEXT = re.compile(
    r"(?P<header>\b(?:authorization|cookie):\s?)[^\n'\"]*"
    rf"|(?P<name>(?:{NAMES})[\w-]{{0,40}}(?:\s?=\s?(?!=)|\\*['\"]\s?:\s?)"  # name=..., "name": ...
    r"|\bapi[_-]?key:\s?)"  # not `TokenError: ...`
    r"(?!(?:none|null|true|false)\b)"
    r"(?:[bru]?'(?:[^'\\\n]|\\.)*'?"
    r'|[bru]?"(?:[^"\\\n]|\\.)*"?'
    r"|\\+['\"][^'\"]*"
    r"|\w*[\[({<].*"  # its end is unknown
    r"|[^\s&,;'\")\]}]+)",
    re.IGNORECASE,
)
"""A value with the name of a secret in a text, such as that of a dataclass, a query string or a header."""
ENCODED_QUERY = re.compile(r"(?<=[?&])([^\s?&=%]*%[^\s?&=]*=)[^\s&\"']*")
"""A name of a query string that is percent-encoded, and its value."""
HIDDEN = "***"
BLANKED = rf"\g<url>\g<bearer>{HIDDEN}"
"""What precedes the secret stays; a group that did not match is empty."""
DEEPEST = 4
HARMLESS = (bool, int, float, type(None))
"""A number or a flag named `token_count` or `has_password` reveals nothing."""


def hide_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    """Blank values that have the name or the form of a secret, and make all others what JSON can represent."""
    return {
        key: HIDDEN if _names_secret(key) and not isinstance(value, HARMLESS) else _without_secrets(value)
        for key, value in event.items()
    }


@lru_cache(maxsize=1000)
def _names_secret(key: str) -> bool:
    return bool(SECRET_NAME.search(key))


def _without_secrets(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, HARMLESS):
        return value
    if isinstance(value, Mapping) or (value := _named(value)).__class__ is dict:
        return HIDDEN if depth == DEEPEST else dict(_item(key, one, depth) for key, one in value.items())
    if isinstance(value, list | tuple | set | frozenset | deque):
        return HIDDEN if depth == DEEPEST else [_member(one, depth) for one in value]
    return _text(_as_text(value))


def _named(value: Any) -> Any:
    """What the text of an object shows, by name; the object itself if its class has written its own text."""
    cls: Any = type(value)
    if issubclass(cls, tuple) and hasattr(cls, "_asdict"):
        return value._asdict()
    if isinstance(value, BaseModel) and (cls.__str__, cls.__repr__) == (BaseModel.__str__, BaseModel.__repr__):
        return dict(value.__repr_args__())
    if is_dataclass(cls) and cls.__str__ is object.__str__ and hasattr(cls.__repr__, "__wrapped__"):  # as generated
        return {field.name: getattr(value, field.name, None) for field in fields(cls) if field.repr}
    return value


def _item(key: Any, value: Any, depth: int) -> tuple[str, Any]:
    name = key if isinstance(key, str) else _as_text(key)
    is_secret = _names_secret(name) and not isinstance(value, HARMLESS)
    return _text(name), HIDDEN if is_secret else _without_secrets(value, depth + 1)


def _member(value: Any, depth: int) -> Any:
    """An item of a list; a pair of a name and a value, as of headers, is like an item of a dict."""
    if type(value) is tuple and len(value) == 2 and isinstance(value[0], str | bytes):
        return [*_item(*value, depth)]
    return _without_secrets(value, depth + 1)


def _as_text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} without a text>"


def _text(text: str) -> str:
    lowered = text.lower()
    if "://" in lowered or "bearer" in lowered or "eyj" in lowered:
        text = SECRET_TEXT.sub(BLANKED, text)
    if "=" in lowered or ": " in lowered or '":' in lowered or "':" in lowered:
        text = NAMED_TEXT.sub(rf"\g<header>\g<name>{HIDDEN}", text)
    if "%" in text:
        text = ENCODED_QUERY.sub(lambda one: one[1] + HIDDEN if _names_secret(unquote(one[1])) else one[0], text)
    return text
