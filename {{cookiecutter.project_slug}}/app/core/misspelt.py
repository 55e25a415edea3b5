"""Finds misspelt names of settings, which would otherwise be ignored without a message."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values
from pydantic_settings import BaseSettings

SIMILAR = 0.87
"""How similar a name must be to a setting's to count as a misspelling, from 0 to 1: DATABSE_URL has 0.96."""


def misspelt_in_file(kind: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Unknown names in the `.env` of these settings, each with the setting that is probably meant."""
    file = kind.model_config.get("env_file")
    if isinstance(file, Path) and file.is_file():
        yield from _misspelt(_names(kind), dotenv_values(file))


def misspelt_variables() -> list[tuple[str, str]]:
    """The same in the environment, for all settings. Other programs share it, so these are reported, not refused."""
    return sorted(_misspelt(_all_names(), os.environ))


def _misspelt(ours: set[str], given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    known, missing = _all_names(), ours - {name.upper() for name in given}
    for name in given:
        if name.upper() not in known and (meant := get_close_matches(name.upper(), missing, 1, SIMILAR)):
            yield name, meant[0]


def _all_names() -> set[str]:
    """The names of all settings whose classes are imported so far."""
    return set().union(*map(_names, _kinds(BaseSettings)))


def _names(kind: type[BaseSettings]) -> set[str]:
    return {f"{kind.model_config.get('env_prefix', '')}{name}".upper() for name in kind.model_fields}


def _kinds(kind: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for derived in kind.__subclasses__():
        yield derived
        yield from _kinds(derived)
