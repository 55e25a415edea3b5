"""What is the same for every service of a process is made once, not for each test."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from dishka.code_tools import code_builder
from dishka.provider import make_factory
from fastapi import params, routing
from fastapi.utils import create_model_field
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

from app import main
from app.composition import container, wiring
from app.persistence import provider
from app.persistence.projections import projection


def compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let services share what follows from the code alone: what is found in it, its wiring, its routes and its SQL."""
    for module in (container, wiring, main, projection, provider):
        monkeypatch.setattr(module, "discover", cache(module.discover))
    monkeypatch.setattr(make_factory, "_make_factory_by_class", cache(make_factory._make_factory_by_class))
    monkeypatch.setattr(code_builder, "compile", cache(compile), raising=False)
    monkeypatch.setattr(routing, "create_model_field", cache(create_model_field))
    analyse = "_build_dependant_with_parameterless_dependencies"
    monkeypatch.setattr(routing, analyse, _analysed_once(getattr(routing, analyse)))
    _share_statements(monkeypatch)


def _analysed_once(analyse: Callable[..., Any]) -> Callable[..., Any]:
    """What an endpoint and its dependencies ask for."""

    @cache
    def analysed(path: str, call: Callable[..., Any], dependencies: tuple[params.Depends, ...]) -> Any:
        return analyse(path=path, call=call, dependencies=dependencies)

    def once(*, path: str, call: Callable[..., Any], dependencies: Sequence[params.Depends]) -> Any:
        return analysed(path, call, tuple(dependencies))

    return once


def _share_statements(monkeypatch: pytest.MonkeyPatch) -> None:
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
