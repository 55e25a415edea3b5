"""Measure what a write costs through the bus beside an endpoint written by hand; exit with 1 when a bar is missed."""

import argparse
import asyncio
import os
import platform
import secrets
import sys
from functools import partial

import uvloop

from app.core.config import checked_settings
from benchmarks.write.database import fresh_database, migrated, prepare, rows
from benchmarks.write.load import Crowd, UnexpectedAnswerError
from benchmarks.write.report import passed, table
from benchmarks.write.running import NotStartedError, running
from benchmarks.write.session import Endpoint, WrongCountError, check, endpoints, measure

PROCESSORS = 2
QUICK_ROUNDS, QUICK_SECONDS = 5, 0.5
SERVICE = "benchmarks.write.service"


def main() -> int:
    """Measure and print; the exit code."""
    options = _options()
    if options.quick:
        options.rounds, options.seconds = QUICK_ROUNDS, QUICK_SECONDS
    share_processors()
    try:
        found = uvloop.run(_run(options))
    except (UnexpectedAnswerError, WrongCountError, NotStartedError, OSError) as error:
        print(f"FAILED  {error}")
        return 1
    print(table(found, _title(options)))
    return 0 if passed(found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.write", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="how often every endpoint is loaded (12)")
    parser.add_argument("--seconds", type=float, default=2.0, help="for how long each time (2)")
    parser.add_argument("--connections", type=int, default=24, help="how many requests are under way at once (24)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds of {QUICK_SECONDS} s, for CI")
    parser.add_argument("--asynchronous", action="store_true", help="COMMIT does not wait for the disk")
    return parser.parse_args()


def share_processors() -> None:
    """Let the service, which inherits it, and the load run on two processors in all, where the system can say that."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:PROCESSORS])


async def _run(options: argparse.Namespace) -> list[Endpoint]:
    async with fresh_database(is_synchronous=not options.asynchronous) as url:
        environment = {
            "ENVIRONMENT": "production",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DATABASE_URL": url,
            "RELAY_IN_SERVICE": "false",  # events are stored here and published by whoever comes later
        }
        os.environ |= environment
        settings = checked_settings()
        await asyncio.to_thread(partial(migrated, settings))
        found = endpoints(settings, await prepare(settings))
        async with running(SERVICE, environment) as port:
            crowd = await Crowd.connected(port, options.connections)
            try:
                await measure(crowd, found, options.rounds, options.seconds)
            finally:
                crowd.close()
        check(found, await rows(settings))
    return found


def _title(options: argparse.Namespace) -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    commit = "does not wait for the disk" if options.asynchronous else "waits for the disk"
    return (
        f"A write on PostgreSQL over HTTP, {python}, {options.rounds} rounds of {options.seconds:g} s each, "
        f"{options.connections} connections; COMMIT {commit}.\n"
        "The median; a ratio is one of throughputs within the same round. Every answer's rows were counted."
    )


if __name__ == "__main__":
    sys.exit(main())
