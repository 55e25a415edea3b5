"""The service without HTTP (`app worker`): it delivers events, to handlers and other services."""

import asyncio
import signal

import structlog

from app.composition.container import running_service
from app.core.config import Settings

logger = structlog.get_logger(__name__)


async def work(settings: Settings) -> signal.Signals:
    """Deliver and consume events until SIGTERM or Ctrl+C; work in progress is finished.

    Returns:
        The signal that ended it.
    """
    told: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.put_nowait, number)
    async with running_service(settings, worker=True):
        reason = await told.get()
    logger.info("worker_stopped", reason=reason.name)
    return reason
