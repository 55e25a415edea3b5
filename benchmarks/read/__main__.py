"""Measure what a read costs through the bus beside an endpoint written by hand; exit with 1 when a bar is missed."""

import argparse
import asyncio
import os
import platform
import secrets
import sys
from functools import partial

import uvloop

from app.core.config import checked_settings
from benchmarks.read.database import PIZZAS, prepare
from benchmarks.write.__main__ import share_processors
from benchmarks.write.database import fresh_database, migrated
from benchmarks.write.load import Crowd, UnexpectedAnswerError, request
from benchmarks.write.report import passed, table
from benchmarks.write.running import NotStartedError, running
from benchmarks.write.session import Endpoint, measure

QUICK_ROUNDS, QUICK_SECONDS = 5, 0.5
SERVICE = "benchmarks.read.service"


def main() -> int:
    """Measure and print; the exit code."""
    options = _options()
    if options.quick:
        options.rounds, options.seconds = QUICK_ROUNDS, QUICK_SECONDS
    share_processors()
    try:
        found = uvloop.run(_run(options))
    except (UnexpectedAnswerError, NotStartedError, OSError) as error:
        print(f"FAILED  {error}")
        return 1
    print(table(found, _title(options)))
    return 0 if passed(found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.read", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how often every endpoint is loaded (20)")
    parser.add_argument("--seconds", type=float, default=1.0, help="for how long each time (1)")
    parser.add_argument("--connections", type=int, default=24, help="how many requests are under way at once (24)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds of {QUICK_SECONDS} s, for CI")
    parser.add_argument("--cache-url", default="memory://", help="where the answer is kept (memory://)")
    return parser.parse_args()


async def _run(options: argparse.Namespace) -> list[Endpoint]:
    async with fresh_database(is_synchronous=False) as url:
        environment = {
            "ENVIRONMENT": "production",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DATABASE_URL": url,
            "CACHE_URL": options.cache_url,
            "CACHE_PREFIX": f"benchmark_{os.getpid()}",
            "RELAY_IN_SERVICE": "false",
        }
        os.environ |= environment
        settings = checked_settings()
        await asyncio.to_thread(partial(migrated, settings))
        await prepare(settings)
        async with running(SERVICE, environment) as port:
            crowd = await Crowd.connected(port, options.connections)
            try:
                found = await _endpoints(crowd)
                await measure(crowd, found, options.rounds, options.seconds)
            finally:
                crowd.close()
    return found


async def _endpoints(crowd: Crowd) -> list[Endpoint]:
    """The floor first.

    Raises:
        UnexpectedAnswerError: they do not all answer the same.
    """
    gets = [request("GET", path) for path in ("/by-hand", "/through-bus", "/cached")]
    answers = [await crowd.ask(get) for get in gets]
    if len(set(answers)) != 1 or answers[0].count(b"Pizza") != PIZZAS:
        raise UnexpectedAnswerError("The endpoints answer differently.")
    by_hand, through_bus, cached = gets
    return [
        Endpoint("by hand", lambda: by_hand),
        Endpoint("through the bus", lambda: through_bus, bar=0.95),
        Endpoint("through the bus, from a warm cache", lambda: cached, bar=5.0),
    ]


def _title(options: argparse.Namespace) -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"A menu of {PIZZAS} pizzas from PostgreSQL over HTTP, {python}, {options.rounds} rounds of "
        f"{options.seconds:g} s each, {options.connections} connections, cache {options.cache_url.partition(':')[0]}.\n"
        "The median; a ratio is one of throughputs within the same round. All endpoints answer the same bytes."
    )


if __name__ == "__main__":
    sys.exit(main())
