"""Whether the service is alive and ready."""

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from app.api.routes import health
from app.core.config import Settings
from app.main import create_app
from app.persistence.engine.database import Database
from tests.core.cqrs.support import PATIENCE
from tests.databases import settings_for
from tests.lifespan import started
from tests.serving import listening

pytestmark = pytest.mark.usefixtures("_patient")
NOBODY = settings_for("postgresql://postgres@127.0.0.1:1/nobody", database_pool_timeout_seconds=1)


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that a busy machine holds up for two seconds is there all the same."""
    monkeypatch.setattr(health, "PATIENCE_SECONDS", PATIENCE)


async def test_it_is_alive_and_ready_and_without_its_tables_only_alive(client: AsyncClient, app: FastAPI) -> None:
    live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})

    database = await app.state.service.container.get(Database)
    async with database.writing_engine.begin() as connection:
        await connection.execute(text("DROP TABLE applied_revisions"))

    live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert live.status_code == 200
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
    assert "has no record of its migrations yet" in ready.json()["detail"]


async def test_a_monitor_that_sends_head_is_answered_without_a_body(settings: Settings) -> None:
    async with listening(create_app(settings), settings) as port, AsyncClient(trust_env=False) as client:
        for path in ("live", "ready"):
            answer = await client.head(f"http://127.0.0.1:{port}/health/{path}")
            assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("lost", "said"),
    [("writing_engine", "The database does not"), ("reading_engine", "The replica (READ_DATABASE_URL) does not")],
)
async def test_with_a_replica_it_is_ready_while_both_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, lost: str, said: str
) -> None:
    app = create_app(settings.model_copy(update={"read_database_url": settings.database_url}))
    async with started(app), AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        assert (await client.get("/health/ready")).status_code == 200
        database, unreachable = await app.state.service.container.get(Database), Database(NOBODY)
        with monkeypatch.context() as without:
            without.setattr(database, lost, getattr(unreachable, lost))
            refused = await client.get("/health/ready")
        await unreachable.close()
    assert (refused.status_code, refused.json()["detail"]) == (503, f"{said} answer.")
