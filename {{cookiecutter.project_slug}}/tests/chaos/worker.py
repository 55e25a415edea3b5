"""A worker with the bank: `python -m tests.chaos.worker READY PACKAGE...`.

READY is a file that it makes when it works. Handlers are found in the packages.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app import worker
from app.composition.container import HANDLERS, RunningService, running_service
from app.core.config import Settings, load_settings
from app.core.logging import configure_logging
from app.core.parts import optional

TAKE_OVER = "CHAOS_TAKE_OVER_SECONDS"
"""A variable that says how soon a consumer is given up, where the usual time is too long to wait for."""


def main(ready: str, *packages: str) -> None:
    """Work until SIGTERM."""

    file = Path(ready)

    @asynccontextmanager
    async def announced(settings: Settings, **_: Any) -> AsyncIterator[RunningService]:
        async with running_service(settings, (HANDLERS, *packages), worker=True) as service:
            file.touch()  # noqa: ASYNC240  # nothing else runs here that could wait for it
            yield service

    if TAKE_OVER in os.environ and (carrier := optional("app.adapters.carrier")):
        # Before the adapters are imported, which happens when one is needed.
        carrier.TAKE_OVER_SECONDS = float(os.environ[TAKE_OVER])
    worker.running_service = announced  # type: ignore[attr-defined,assignment]
    settings = load_settings()
    configure_logging(level=settings.log_level)
    asyncio.run(worker.work(settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
