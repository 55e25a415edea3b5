"""What tests of commands use: events that are put where they wait, and what a command printed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Table
from typer.testing import Result

from app.core.config import Settings
from app.persistence.database import Database
from app.persistence.outbox import Outbox
from app.persistence.stored_event import StoredEvent
from app.persistence.tables import event_log

Run = Callable[..., Result]
"""Runs `app` with these arguments; `typed` is what is typed at its questions."""


def objects(result: Result) -> list[Any]:
    """What a command with --json printed."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def put(
    settings: Settings, event: StoredEvent, error: Exception | None = None, *, table: Table = event_log, tries: int = 1
) -> StoredEvent:
    """Let an event wait: dead if it failed, or with more `tries`, for an hour."""
    asyncio.run(_put(settings, event, error, table, tries))
    return event


async def _put(settings: Settings, event: StoredEvent, error: Exception | None, table: Table, tries: int) -> None:
    database = Database(settings)
    await Outbox(database, table, tries, 3600).put(event, error)
    await database.close()
