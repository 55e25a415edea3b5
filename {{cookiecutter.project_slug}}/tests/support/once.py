"""What follows from the code alone is found out once for all services of a process, not for each test."""

from collections.abc import Callable, Iterable
from functools import cache
from types import ModuleType
from typing import Any
from weakref import WeakSet

import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from app import main
from app.composition import container, wiring
from app.core.cqrs import DomainEvent
from app.persistence import provider
from app.persistence.projections import projection
from app.persistence.schema import revisions


def find_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let services share what is discovered, which events were checked, the migrations, and the routes of routers."""
    known: tuple[tuple[ModuleType, str, Callable[[Any], Any]], ...] = (
        *((module, "discover", cache) for module in (container, wiring, main, projection, provider)),
        (container, "check_events", _checking_once),
        (provider, "read_revisions", _reading_once),
        (main, "add_routes", _adding_once),
    )
    for module, name, once in known:
        monkeypatch.setattr(module, name, once(getattr(module, name)))


def _checking_once(
    check: Callable[[Iterable[type[DomainEvent]]], None],
) -> Callable[[Iterable[type[DomainEvent]]], None]:
    good: WeakSet[type[DomainEvent]] = WeakSet()

    def check_new_ones(classes: Iterable[type[DomainEvent]]) -> None:
        new = [one for one in classes if one not in good]
        check(new)
        good.update(new)

    return check_new_ones


def _reading_once(read: Callable[[], revisions.Revisions]) -> Callable[[], revisions.Revisions]:
    shipped, read_shipped = revisions.SCRIPTS, cache(read)
    return lambda: read_shipped() if shipped == revisions.SCRIPTS else read()


def _adding_once(add: Callable[[FastAPI, APIRouter], None]) -> Callable[[FastAPI, APIRouter], None]:
    made: dict[tuple[int, ...], tuple[APIRouter, list[BaseRoute]]] = {}

    def add_what_was_made(app: FastAPI, router: APIRouter) -> None:
        key = (id(router), *map(id, router.routes))
        if key in made:
            app.router.routes += made[key][1]
            return
        others = len(app.router.routes)
        add(app, router)
        made[key] = router, app.router.routes[others:]

    return add_what_was_made
