"""`app run` in a process of its own, for tests of what only a real server does."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from tests.databases import settings_for
from tests.processes import PATIENCE_SECONDS

ROOT = Path(__file__).parents[1]


def environment_for(database_url: str, **values: str) -> dict[str, str]:
    """The environment of commands and servers on this database, as tests want it; and more."""
    given = settings_for(database_url)
    return {
        "DATABASE_URL": database_url,
        "SECRET_KEY": given.secret_key.get_secret_value(),
        "ENVIRONMENT": given.environment,
        "PASSWORD_TIME_COST": str(given.password_time_cost),
        "PASSWORD_MEMORY_KIB": str(given.password_memory_kib),
        **values,
    }


class Server:
    """The process; what it says is in a file.

    Args:
        folder: where it works.
        environment: the settings that it gets, beside what this process has.
        options: of `app run`.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *options: str) -> None:
        # Without bytecode every start takes twice as long.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "run", "--port", "0", *options],
                cwd=folder,
                env={**inherited, "PYTHONPATH": str(ROOT), **environment},
                stderr=log,
            )

    def wait_until_ready(self) -> None:
        """Wait until it answers.

        Raises:
            AssertionError: it ended, or took too long; with what it said.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        with httpx2.Client(timeout=PATIENCE_SECONDS) as client:
            while time.monotonic() < until and self.process.poll() is None:
                try:
                    client.get(f"{self.address}/health/ready").raise_for_status()
                except httpx2.HTTPError:
                    time.sleep(0.02)  # to ask without a pause takes from the server the time it needs to start
                else:
                    return
        raise AssertionError(self.log.read_text())

    @property
    def address(self) -> str:
        """Its URL; nobody's before it says where it listens."""
        found = re.search(r"Starting on (http://\S+),", self.log.read_text())
        return found[1] if found else "http://127.0.0.1:1"

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.address).port or 0


@contextmanager
def serving(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[Server]:
    """A server that answers; it does not outlive the test."""
    server = Server(folder, environment, *options)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.process.kill()
        server.process.wait()
