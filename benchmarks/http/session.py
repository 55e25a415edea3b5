"""One session: its options, the service under load, and what comes of it."""

import argparse
import asyncio
import os
import platform
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from app.core.config import Settings, checked_settings
from app.persistence.schema import migrate
from benchmarks.costs import add_option, tell
from benchmarks.http.database import fresh_database
from benchmarks.http.load import Crowd, UnexpectedAnswerError
from benchmarks.http.report import passed, table
from benchmarks.http.rounds import Endpoint
from benchmarks.http.running import NotStartedError, running

PROCESSORS = 2
QUICK_ROUNDS, QUICK_SECONDS = 5, 0.5
Options = argparse.Namespace


def options_of(prog: str, about: str | None, *, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """The options that every session has, with these defaults."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=about)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"how often every endpoint is loaded ({rounds})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"for how long each time ({seconds:g})")
    parser.add_argument("--connections", type=int, default=24, help="how many requests are under way at once (24)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds of {QUICK_SECONDS} s, for CI")
    add_option(parser)
    return parser


def held(options: Options, run: Callable[[Options], Coroutine[Any, Any, list[Endpoint]]], title: str) -> int:
    """Measure and print; the exit code: 1 when a bar is missed."""
    if options.quick:
        options.rounds, options.seconds = QUICK_ROUNDS, QUICK_SECONDS
    _share_processors()
    try:
        found = uvloop.run(run(options))
    except (UnexpectedAnswerError, NotStartedError, OSError) as error:
        print(f"FAILED  {error}")
        return 1
    tell(
        options.costs, {f"{one.name}, beside {one.floor.name}": 1 / one.ratio for one in found if one.floor is not None}
    )
    print(table(found, f"{title}\n{_circumstances(options)}"))
    return 0 if passed(found) else 1


@asynccontextmanager
async def under_load(
    service: str, connections: int, *, is_synchronous: bool = True, **environment: str
) -> AsyncIterator[tuple[Settings, Crowd]]:
    """Start the service that is this module, on a migrated database of its own; its settings, and who loads it."""
    async with fresh_database(is_synchronous=is_synchronous) as url:
        environment |= {
            "ENVIRONMENT": "production",
            "SERVICE_NAME": "bench",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DATABASE_URL": url,
            "SQLITE_IN_PRODUCTION": "true",
            "AUDIT_LOG": "false",  # nobody else here writes a line for each command
            "RELAY_IN_SERVICE": "false",  # events are stored here and published by whoever comes later
        }
        os.environ |= environment
        settings = checked_settings()
        await asyncio.to_thread(migrate.upgrade, settings)
        async with running(service, environment) as port:
            crowd = await Crowd.connected(port, connections)
            try:
                yield settings, crowd
            finally:
                crowd.close()


def _share_processors() -> None:
    """Let the service, which inherits it, and the load run on two processors in all, where the system can say that."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:PROCESSORS])


def _circumstances(options: Options) -> str:
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {options.rounds} rounds of "
        f"{options.seconds:g} s each, {options.connections} connections{load}.\n"
        "The median; a ratio is one of throughputs within the same round, to the floor above it."
    )
