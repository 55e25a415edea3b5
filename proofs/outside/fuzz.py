"""Sends requests to the service that are made from its OpenAPI document, as three callers: `make fuzz`.

Schemathesis makes the requests and checks the answers. The service runs in a process of its own, on a database of its
own on the PostgreSQL of the tests.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.logging import configure_logging
from outside.tools import tool
from tests.databases import PostgresDatabases, settings_for
from tests.lifespan import service_with
from tests.server import environment_for, serving
from tests.users import People

ROLES = ("anonymous", "member", "administrator")
SPARE_ACCOUNTS = 40
"""How many accounts a caller may lose: it finds out how to deactivate itself."""
SPREAD = {"login_attempts": 1000, "access_token_seconds": 24 * 3600}
"""Settings for requests that all come from one caller."""


def main() -> None:
    """Fuzz as each role, print what Schemathesis reports, and exit with 1 if it found anything."""
    options = _options()
    failed = False
    for role in options.role or ROLES:
        found, report = fuzz(role, options.examples, options.seed, options.seconds)
        print(f"== {role}\n{report}", flush=True)  # noqa: T201
        failed = failed or found
    sys.exit(failed)


def fuzz(role: str, examples: int, seed: int, seconds: int | None = None) -> tuple[bool, str]:
    """Whether something was found, and the report.

    Args:
        role: who calls, of `ROLES`.
        examples: the number of requests for each operation, in each phase that makes them at random.
        seed: what they are made from.
        seconds: the time for all requests; None: no limit.
    """
    here = Path(__file__).parent
    with _service(role) as (address, tokens, folder):
        wanted = ["--seed", str(seed), "--max-examples", str(examples)]
        wanted += ["--max-time", str(seconds)] if seconds else []
        done = tool(
            "schemathesis",
            *("--config-file", str(here / "schemathesis.toml"), "run", f"{address}/openapi.json", *wanted),
            folder=folder,
            seconds=4 * 3600,
            PYTHONPATH=str(here),
            SCHEMATHESIS_HOOKS="callers",
            FUZZ_TOKENS=json.dumps(tokens),
        )
    return done.returncode != 0, done.stdout + done.stderr


@contextmanager
def _service(role: str) -> Iterator[tuple[str, list[str], Path]]:
    """The address of a service, the access tokens of accounts with this role, and a folder to work in."""
    databases = PostgresDatabases()
    try:
        with tempfile.TemporaryDirectory() as made, databases.fresh(Path(made)) as url:
            tokens = [] if role == "anonymous" else asyncio.run(_tokens(url, role))
            settings = {name.upper(): str(value) for name, value in SPREAD.items()}
            with serving(Path(made), environment_for(url, **settings)) as server:
                yield server.address, tokens, Path(made)
    finally:
        databases.close()


async def _tokens(url: str, role: str) -> list[str]:
    configure_logging(level="warning")
    async with service_with(settings_for(url, audit_log=False, **SPREAD)) as service:
        people = People(service.bus)
        make = people.member if role == "member" else people.administrator
        accounts = [await make() for _ in range(1 + SPARE_ACCOUNTS)]
        return [(await one.login()).unwrap().access_token for one in accounts]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--role", action="append", choices=ROLES, help="only as this caller; may be repeated")
    parser.add_argument("--examples", type=int, default=110, help="requests for each operation and phase")
    parser.add_argument("--seconds", type=int, help="at most so long for each caller")
    parser.add_argument("--seed", type=int, default=1, help="what the requests are made from")
    return parser.parse_args()


if __name__ == "__main__":
    main()
