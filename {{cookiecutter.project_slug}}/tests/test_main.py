"""The whole application: it starts, says why it does not, and documents what it answers."""

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.types import Message

from app.api.routes import health
from app.composition.container import running_service
from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.handlers.user.login_handler import LoginCommand
from app.main import create_app, found_routers
from tests.core.cqrs.support import PATIENCE
from tests.databases import ON_SQLITE, settings_for
from tests.lifespan import started
from tests.users import People


@ON_SQLITE
async def test_it_answers_when_it_has_started(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", PATIENCE)
    app = create_app(settings)
    async with started(app), AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        assert (await client.get("/health/ready")).json() == {"status": "ready"}


def test_the_routes_of_the_documentation_come_last() -> None:
    paths = [route.path for route in create_app(settings_for("sqlite:///unused.db")).routes]  # type: ignore[attr-defined]
    assert paths[-3:] == ["/openapi.json", "/docs", "/docs/{name}"]
    assert "/health/ready" in paths[:-3]


@ON_SQLITE
async def test_two_apps_in_a_process_do_not_disturb_each_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", PATIENCE)
    first, second = create_app(settings), create_app(settings)
    async with started(first):
        async with started(second):
            assert first.state.service.bus is not second.state.service.bus
        async with AsyncClient(transport=ASGITransport(first), base_url="http://service") as client:
            assert (await client.get("/health/ready")).status_code == 200


async def test_the_server_is_told_in_a_sentence_why_it_does_not_start() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = create_app(settings_for("sqlite:///empty.db"))
    with pytest.raises(ConfigurationError):
        await app({"type": "lifespan", "state": {}}, receive, send)

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert sent[0]["message"].endswith("run `app db upgrade`.")
    assert "Traceback" not in sent[0]["message"]


def test_every_module_with_a_router_is_served() -> None:
    assert {route.path for router in found_routers() for route in router.routes} >= {  # type: ignore[attr-defined]
        "/api/users",
        "/api/auth/login",
        "/health/live",
        "/metrics",
    }


async def test_only_pages_that_settings_name_may_call_it() -> None:
    shop, evil = "https://shop.example", "https://evil.example"
    for origins, origin, allowed in (
        ("", shop, False),
        (shop, shop, True),
        (f"https://a.example, {shop}", shop, True),
        (shop, evil, False),
    ):
        app = create_app(settings_for("sqlite:///unused.db", cors_origins=origins))
        async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
            answer = await client.get("/health/live", headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed, (origins, origin)


@pytest.mark.parametrize("environment", ["test", "production"])
async def test_browsers_are_told_to_stay_with_https_in_production_only(environment: str) -> None:
    quick_only_in_tests = {"password_time_cost": 2, "password_memory_kib": 19_456, "sqlite_in_production": True}
    app = create_app(settings_for("sqlite:///unused.db", environment=environment, **quick_only_in_tests))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        answer = await client.get("/health/live")

    assert ("strict-transport-security" in answer.headers) is (environment == "production")


@ON_SQLITE
async def test_the_first_start_in_development_shows_an_administrator_once(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    development = settings.model_copy(update={"environment": "development"})
    app = create_app(development)
    async with started(app):
        lines = capsys.readouterr().err.splitlines()
        shown = next(line for line in lines if line.startswith("Administrator:")).split()
        email, password = shown[1], shown[-1]
        assert (await app.state.service.bus.execute_command(LoginCommand(email, password))).is_success
    for again in (development, settings):
        async with started(create_app(again)):
            assert "password" not in capsys.readouterr().err


@ON_SQLITE
async def test_where_the_administrators_address_is_taken_it_starts_all_the_same(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_service(settings) as service:
        await People(service.bus).member(email="admin@example.com")
    async with started(create_app(settings.model_copy(update={"environment": "development"}))):
        assert "password" not in capsys.readouterr().err
