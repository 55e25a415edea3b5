"""Whether the service is alive and ready."""

from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text

from app.persistence.engine.database import Database


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
