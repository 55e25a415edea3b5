"""The options of a PostgreSQL URL, in libpq's words, as hosts of databases hand them out."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.cqrs import ConfigurationError
from app.persistence.engine.errors import LostConnectionError
from app.persistence.engine.postgresql import migrating_engine, reading_engine, relaying_engine, writing_engine
from tests.databases import settings_for

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("databases", ["postgresql"], indirect=True)]
ENGINES = {"": writing_engine, "-relay": relaying_engine, "-migrations": migrating_engine}


@asynccontextmanager
async def connected(
    database_url: str, make: Callable[..., AsyncEngine] = writing_engine, **options: str
) -> AsyncIterator[AsyncConnection]:
    """A connection of an engine to this database, with these options of its URL."""
    url = make_url(database_url).update_query_dict(options).render_as_string(hide_password=False)
    engine = make(settings_for(url))
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@pytest.mark.parametrize(("suffix", "make"), [*ENGINES.items(), ("", reading_engine)])
async def test_each_engine_takes_the_options(database_url: str, suffix: str, make: Callable[..., AsyncEngine]) -> None:
    given = {"connect_timeout": "20", "application_name": "shop", "options": "-c work_mem=5MB"}
    async with connected(database_url, make, target_session_attrs="read-write", **given) as connection:
        assert await connection.scalar(text("SHOW application_name")) == f"shop{suffix}"
        assert await connection.scalar(text("SHOW work_mem")) == "5MB"


async def test_the_server_that_is_wanted_is_not_there(database_url: str) -> None:
    with pytest.raises(LostConnectionError):
        async with connected(database_url, target_session_attrs="standby"):
            pass


async def test_a_server_without_a_certificate_to_check_it_by_is_not_trusted(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    with pytest.raises(ConfigurationError, match="DATABASE_URL cannot be used: root certificate file"):
        async with connected(database_url, sslmode="verify-full"):
            pass
