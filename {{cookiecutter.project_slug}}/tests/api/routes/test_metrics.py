"""What is counted, for Prometheus."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import AsyncClient
from sqlalchemy import text
from structlog.testing import capture_logs

from app.api.routes import metrics
from app.composition.container import RunningService
from app.core.config import Settings
from app.persistence.engine.database import Database
from tests.core.cqrs.support import PATIENCE, within_patience
from tests.databases import ON_SQLITE
from tests.events import event_of, let_wait


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is waited for, also on a busy machine."""
    monkeypatch.setattr(metrics, "PATIENCE_SECONDS", PATIENCE)


@ON_SQLITE
async def test_metrics_are_text_that_prometheus_reads(client: AsyncClient) -> None:
    answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "python_info" in answer.text


async def test_what_waits_is_measured_when_it_is_asked_for(client: AsyncClient, service: RunningService) -> None:
    before = (await client.get("/metrics")).text
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await let_wait(await service.container.get(Database), event_of("1", 1, occurred_at=an_hour_ago), OSError())
    after = (await client.get("/metrics")).text

    assert 'outbox_waiting_events{handler="(new)"} 0.0' in before
    assert 'outbox_dead_events{handler="(new)"} 0.0' in before
    assert 'outbox_oldest_waiting_seconds{handler="(new)"} 0.0' in before
    assert 'outbox_waiting_events{handler="Handler"} 1.0' in after
    assert 'outbox_dead_events{handler="Handler"} 1.0' in after
    assert 3600 <= value(after, 'outbox_oldest_waiting_seconds{handler="Handler"}') < 3660
    assert after.count("# TYPE outbox_waiting_events gauge") == 1
    assert "outbox_gauges_failed 0.0" in after


async def test_when_the_database_does_not_answer_or_has_no_tables_that_and_the_rest_is_told(
    client: AsyncClient, service: RunningService, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await service.container.get(Database)
    async with AsyncExitStack() as busy:
        monkeypatch.setattr(metrics, "PATIENCE_SECONDS", 0.1)
        for _ in range(settings.database_pool_size):
            await busy.enter_async_context(database.reading_engine.connect())
        without = await within_patience(client.get("/metrics"))

    assert (without.status_code, series_of_the_outbox(without.text)) == (200, ["outbox_gauges_failed 1.0"])
    assert "python_info" in without.text
    monkeypatch.setattr(metrics, "PATIENCE_SECONDS", PATIENCE)
    assert "outbox_waiting_events" in (await client.get("/metrics")).text
    async with database.writing_engine.begin() as connection:
        await connection.execute(text("DROP TABLE reactions"))
    metrics._warn.cache_clear()
    with capture_logs() as logs:
        answers = [await client.get("/metrics") for _ in range(3)]
    assert series_of_the_outbox(answers[-1].text) == ["outbox_gauges_failed 1.0"]
    assert 1 <= [line["event"] for line in logs].count("outbox_gauges_failed") < 3


def series_of_the_outbox(metrics: str) -> list[str]:
    """The series that tell of waiting events, with their values."""
    return [line for line in metrics.splitlines() if line.startswith("outbox_")]


def value(metrics: str, series: str) -> float:
    """What a series says."""
    return next(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(series))
