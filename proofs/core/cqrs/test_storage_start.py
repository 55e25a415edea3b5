"""A service with an event that would change in storage does not start."""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from app.composition.container import running_service
from app.core.cqrs import ConfigurationError, DomainEvent
from tests.databases import settings_for


async def test_a_service_with_such_an_event_does_not_start(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("support.with_an_event")

    @dataclass(frozen=True, kw_only=True)
    class Vague(DomainEvent):
        about: Any

    Vague.__module__ = module.__name__
    module.__dict__["Vague"] = Vague
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(ConfigurationError, match=r"Vague\.about may hold anything"):
        async with running_service(settings_for(database_url), (module.__name__,)):
            pass
