"""Two services have no default in common that must differ."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.support import MOST, Bake, run

PRINT_NAMES = """
import asyncio, json
from datetime import UTC, datetime
from uuid import UUID
import jwt
from app.adapters.broker_amqp import AmqpCarrier
from app.adapters.cache_redis import open_cache
from app.adapters.clock_system import SystemClock
from app.adapters.tokens_jwt import JwtAccessTokens
from app.adapters.traces_http import _resource
from app.composition.cloud_events import encode
from app.core.config import all_settings
from app.main import create_app
from app.persistence.events.stored_event import StoredEvent

SECRET = "5vXh-9dRkq2LZtMbyW8sJf4uGnEoAiCp7xTrQwKzVlY"
settings = all_settings()(_env_file=None, environment="production", secret_key=SECRET, database_url="postgresql://db/x")
queues = AmqpCarrier(settings)
about = create_app(settings).openapi()["info"]
token = JwtAccessTokens(settings, SystemClock()).issue(UUID(int=1), UUID(int=2))
event = StoredEvent(UUID(int=1), "Thing", "1", 1, "Happened", 1, {}, {}, datetime(2026, 1, 1, tzinfo=UTC))
told = json.loads(encode(event, settings.service_name))

async def names_in_redis():
    async with open_cache(settings.model_copy(update={"cache_url": "redis://127.0.0.1:1"})) as cache:
        return [cache.link.channel, cache._entry("key"), cache._tag("tag")]

names = {
    "queue": queues._queue.name,
    "group": queues.group,
    "title of the API": about["title"],
    "issuer of tokens": jwt.decode(token, options={"verify_signature": False})["iss"],
    "traces": dict(_resource(settings).attributes)["service.name"],
    "source of events": told["source"],
    "type of events": told["type"],
    **dict(zip(["channel", "entry", "tag"], asyncio.run(names_in_redis()))),
}
shared = {"exchange": queues._exchange.name, "version": about["version"]}
print(json.dumps({"names": names, "shared": shared, "settings": settings.model_dump(mode="json")}))
"""
MUST_DIFFER = {"service_name", "broker_group", "cache_prefix"}


def described(bake: Bake, into: Path, name: str) -> dict[str, dict[str, Any]]:
    """How a service calls what others can see, when it was installed and given nothing but a database."""
    into.mkdir()
    service = bake(project_name=name, **MOST | {"broker": "rabbitmq"}).installed(into)
    printed = run(sys.executable, "-W", "ignore", "-c", PRINT_NAMES, cwd=service)
    assert printed.returncode == 0, printed.stderr
    answer: dict[str, dict[str, Any]] = json.loads(printed.stdout.splitlines()[-1])
    return answer


def test_two_services_have_no_default_in_common_that_must_differ(bake: Bake, tmp_path: Path) -> None:
    first = described(bake, tmp_path / "first", "Pizzeria")
    second = described(bake, tmp_path / "second", "Order Desk")

    for slug, service in (("pizzeria", first), ("order-desk", second)):
        assert {what: name for what, name in service["names"].items() if slug not in name} == {}
        assert {service["settings"][name] for name in MUST_DIFFER} == {slug}
    differing = {name for name, value in first["settings"].items() if second["settings"][name] != value}
    assert differing == MUST_DIFFER
    assert first["shared"] == second["shared"] == {"exchange": "events", "version": "0.1.0"}


def test_nothing_has_the_name_of_the_package_which_all_services_share(bake: Bake, tmp_path: Path) -> None:
    settings = described(bake, tmp_path / "one", "Pizzeria")["settings"]
    assert [name for name, value in settings.items() if "app" in re.split(r"[\W_]+", str(value))] == []
