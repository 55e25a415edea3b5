"""What tests of commands use: events that are put where they wait, and what a command printed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from typer.testing import Result

from app.core.config import Settings
from app.persistence.engine.database import Database
from app.persistence.events.stored_event import StoredEvent
from tests.events import HANDLER, let_wait

Run = Callable[..., Result]
"""Runs `app` with these arguments; `typed` is what is typed at its questions."""


def objects(result: Result) -> list[Any]:
    """What a command with --json printed."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def put(
    settings: Settings, event: StoredEvent, error: Exception | None = None, *, handler: str = HANDLER, dead: bool = True
) -> StoredEvent:
    """Let an event wait for a handler: dead if it failed there, unless it is to be tried again."""
    asyncio.run(_put(settings, event, error, handler, dead))
    return event


async def _put(settings: Settings, event: StoredEvent, error: Exception | None, handler: str, dead: bool) -> None:
    database = Database(settings)
    behind = (event.version or 0) > 1
    await let_wait(database, event, error, handler=handler, dead=dead, behind=behind)
    await database.close()
