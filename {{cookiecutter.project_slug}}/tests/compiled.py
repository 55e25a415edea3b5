"""What is the same for every service of a process is compiled once, not for each test: SQL and the container's code."""

from functools import cache

import pytest
from dishka.code_tools import code_builder
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache


def compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all engines keep compiled statements in one place, as one engine of a process that runs for long does.

    A statement is found there by its dialect; all of one driver are the same here.
    """
    statements: LRUCache[object, object] = LRUCache(5_000)
    begin = Engine.__init__

    def begin_with_what_is_known(engine: Engine, *args: object, **options: object) -> None:
        begin(engine, *args, **options)  # type: ignore[arg-type]
        engine._compiled_cache = statements  # type: ignore[assignment]

    monkeypatch.setattr(Engine, "__init__", begin_with_what_is_known)
    monkeypatch.setattr(DefaultDialect, "__eq__", lambda one, other: type(one) is type(other))
    monkeypatch.setattr(DefaultDialect, "__hash__", lambda one: hash(type(one)))
    monkeypatch.setattr(code_builder, "compile", cache(compile), raising=False)
