"""A service has one name, that of its distribution, and all that goes by a name goes by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core import identity
from app.core.config import UNNAMED, SettingsError, checked_settings
from app.core.cqrs import ConfigurationError, DomainEvent
from app.core.event_types import EventTypes
from app.core.identity import APP, Identity
from app.main import create_app
from app.persistence.engine import postgresql
from app.persistence.engine.database import Database
from tests.databases import settings_for

SECRET = "5vXh-9dRkq2LZtMbyW8sJf4uGnEoAiCp7xTrQwKzVlY"
MADE_BY_THE_NAME = ("service_name", "broker_group", "cache_prefix")


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing but what is installed says who this is, and that is looked up once for each test."""
    monkeypatch.delenv("SERVICE_NAME")
    identity.installed_as.cache_clear()
    yield
    identity.installed_as.cache_clear()


def install(folder: Path, name: str, version: str = "1.2.3", installed_from: str = "") -> None:
    """What a package installer writes about a service."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nSummary: Sells.\n")
    (info / "entry_points.txt").write_text("[console_scripts]\napp = app.cli:app\n")
    if installed_from:
        (info / "direct_url.json").write_text(f'{{"url": "{installed_from}", "dir_info": {{"editable": true}}}}')


@pytest.mark.parametrize("name", ["orders_service", "Orders.Service", "orders-service"])
def test_the_name_is_that_of_the_distribution(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, name, installed_from=APP.parent.as_uri())
    monkeypatch.syspath_prepend(tmp_path)
    assert identity.installed_as() == Identity("orders-service", "1.2.3", description="Sells.")
    settings = checked_settings(secret_key=SECRET)
    assert [getattr(settings, which) for which in MADE_BY_THE_NAME] == ["orders-service"] * 3
    assert settings.release == "1.2.3"


def test_a_service_whose_files_were_copied_is_known_by_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "copied", installed_from="https://code.example/archive.zip")
    (tmp_path / "app").symlink_to(APP)
    monkeypatch.syspath_prepend(tmp_path)
    assert identity.installed_as().name == "copied"


@pytest.mark.parametrize("installed_from", ["", "file:///srv/other", "https://code.example/archive.zip"])
def test_another_service_in_the_same_environment_gives_no_name(
    installed_from: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = identity.installed_as()
    identity.installed_as.cache_clear()
    install(tmp_path, "other", installed_from=installed_from)
    monkeypatch.syspath_prepend(tmp_path)
    assert identity.installed_as() == here


@pytest.fixture
def _not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows who this is."""
    monkeypatch.setattr("app.core.config.installed_as", Identity)


@pytest.mark.usefixtures("_not_installed")
def test_production_refuses_to_be_nobody() -> None:
    production = {"environment": "production", "secret_key": SECRET, "database_url": "postgresql://db/orders"}
    with pytest.raises(SettingsError, match="SERVICE_NAME is not valid: the service has no name, because it"):
        checked_settings(**production)
    with pytest.raises(SettingsError, match="the service has no name"):
        checked_settings(**production, service_name=UNNAMED)
    assert checked_settings(**production, service_name="orders").model_dump()["broker_group"] == "orders"
    for environment in ("development", "test"):
        assert checked_settings(secret_key=SECRET, environment=environment).service_name == UNNAMED


@pytest.mark.parametrize("name", ["Orders", "orders_service", "a b", "-a", "a-", "a--b", "é", "a" * 51, "a/b", "a\n"])
def test_a_name_that_not_everybody_takes_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="SERVICE_NAME is not valid: give it lower-case letters and digits"):
        checked_settings(secret_key=SECRET, service_name=name)


def test_what_goes_by_the_name_may_have_another() -> None:
    settings = checked_settings(secret_key=SECRET, service_name="orders", broker_group="readers", cache_prefix="o")
    assert {"broker_group": "readers", "cache_prefix": "o"}.items() <= settings.model_dump().items()


@pytest.mark.parametrize(("release", "version"), [("7", "7"), ("", "0")])
def test_the_document_of_the_api_says_who_and_which_version_it_is(release: str, version: str) -> None:
    app = create_app(settings_for("sqlite:///none.db", service_name="orders", release=release))
    assert app.openapi()["info"] == {"title": "orders", "version": version}


@pytest.mark.integration
@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
async def test_postgresql_is_told_who_connects(database_url: str) -> None:
    settings = settings_for(database_url, service_name="a" * 50)
    database, migrating = Database(settings), postgresql.migrating_engine(settings)
    engines = {"": database.writing_engine, "-relay": database.relaying_engine, "-migrations": migrating}
    try:
        for suffix, engine in [*engines.items(), ("", database.reading_engine)]:
            async with engine.connect() as connection:
                assert await connection.scalar(text("SHOW application_name")) == f"{'a' * 50}{suffix}"
    finally:
        await database.close()
        await migrating.dispose()


@pytest.mark.parametrize("service", ["orders-service", "Orders_Service", "ORDERS.SERVICE"])
def test_a_class_that_takes_ones_own_events_for_anothers_is_refused(service: str) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Placed(DomainEvent):
        event_source = service
        event_type = "Placed"

    with pytest.raises(ConfigurationError, match="Placed has this service as its event_source, orders-service"):
        EventTypes([Placed], "orders-service")
    EventTypes([Placed], "orders")
