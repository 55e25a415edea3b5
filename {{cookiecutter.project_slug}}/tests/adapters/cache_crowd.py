"""A process that asks the same query 200 times at once: `python -m tests.adapters.cache_crowd URL PREFIX`.

It says when it is ready, begins when it is told a line, and prints how many of the answers were loaded by itself.
"""

import asyncio
import sys
from dataclasses import dataclass

import pytest
import structlog

from app.core.cqrs import BaseQueryHandler, CQRSBus, IQuery, cached_query
from tests.caches import process_with_cache, settings_of, wait_for_redis

CALLERS = 200
LOAD_SECONDS = 0.3


@dataclass
class Ask(IQuery[str]):
    """Ask something that takes a while."""


@cached_query(tags=["x"])
class AskHandler(BaseQueryHandler[Ask, str]):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.loads = 0

    async def _handle(self, query: Ask) -> str:
        self.loads += 1
        await asyncio.sleep(LOAD_SECONDS)
        return "answer"


async def main(url: str, prefix: str) -> None:
    """Ask."""
    wait_for_redis(pytest.MonkeyPatch())
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    async with process_with_cache(settings_of(url, prefix)) as cache, CQRSBus(cache=cache) as bus:
        handler = AskHandler()
        bus.register_query_handler(Ask, handler)
        print("ready", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        answers = await asyncio.gather(*(bus.execute_query(Ask()) for _ in range(CALLERS)))
        assert {answer.unwrap() for answer in answers} == {"answer"}
        print(handler.loads, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
