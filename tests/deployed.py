"""A service as a server runs it: installed from its wheel, by a user who may write nothing of it."""

import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from scripts.demo import SECONDS_TO_START, wait_until_ready
from scripts.own_python import copy_own_python
from tests.support import BakedProject, clean_environment, run

NOBODY = 65534
SERVER = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432")
UV = (sys.executable, "-m", "uv")


def do_without(sentence: str) -> NoReturn:
    """Skip a test because of what the machine lacks, or fail it where that is required."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database, which is dropped afterwards."""
    name = f"deployed_{uuid4().hex[:12]}"
    try:
        execute(f'CREATE DATABASE "{name}"')
    except (OSError, asyncpg.PostgresError) as error:
        do_without(f"PostgreSQL cannot be used: {error}")
    try:
        yield f"{SERVER}/{name}"
    finally:
        execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(statement: str, address: str = f"{SERVER}/postgres") -> list[Any]:
    """Execute a statement on a database, and return its rows."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(address, timeout=20)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(ask())


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may read, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="deployed-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def wheel_of(service: BakedProject, into: Path) -> Path:
    """Build the wheel of a service."""
    built = run(*UV, "build", "--quiet", "--wheel", "--out-dir", str(into), str(service.path), cwd=into)
    assert built.returncode == 0, built.stderr
    (wheel,) = into.glob("*.whl")
    return wheel


def install(wheel: Path, service: BakedProject, into: Path, python: Path) -> Path:
    """Install a wheel into an environment of its own, with the exact versions of the service; its `app`."""
    exact = ("--constraint", str(service.path / "constraints.txt"))
    for words in (
        ("venv", "--quiet", "--python", str(python), str(into)),
        ("pip", "install", "--quiet", "--compile-bytecode", "--python", str(into / "bin/python"), *exact, str(wheel)),
    ):
        done = run(*UV, *words, cwd=into.parent)
        assert done.returncode == 0, done.stderr
    return into / "bin" / "app"


def readable_python(folder: Path) -> tuple[Path, dict[str, str]]:
    """A Python that nobody may run, and the variables it needs: a copy, if this one is in a folder of its owner."""
    try:
        subprocess.run([sys.executable, "-c", ""], user=NOBODY, group=NOBODY, extra_groups=[], check=True)
    except (OSError, subprocess.CalledProcessError):
        return copy_own_python(folder / "python"), {"LD_LIBRARY_PATH": str(folder / "python" / "lib")}
    return Path(sys.executable), {}


class Deployed:
    """An installed service with its settings.

    Args:
        app: the installed `app`.
        folder: where its processes work.
        database_url: its database.
        user: the id of the user who runs it; None: the one who runs this.
        settings: more of them.
    """

    def __init__(self, app: Path, folder: Path, database_url: str, user: int | None = None, **settings: str) -> None:
        inherited = {name: value for name, value in clean_environment().items() if name in {"PATH", "LANG", "TZ"}}
        given = {"ENVIRONMENT": "production", "SECRET_KEY": secrets.token_urlsafe(48), "DATABASE_URL": database_url}
        self._environment = inherited | given | settings
        self._app, self._folder = app, folder
        self._user: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}

    def app(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the service to its end."""
        return subprocess.run(
            [self._app, *words], cwd=self._folder, env=self._environment, text=True, capture_output=True,
            timeout=600, check=False, **self._user,
        )  # fmt: skip

    @contextmanager
    def process(self, words: Sequence[str], log: Path) -> Iterator["Process"]:
        """Run a command that does not end by itself."""
        with log.open("w") as file:
            process = subprocess.Popen(
                [self._app, *words], cwd=self._folder, env=self._environment, stdout=file, stderr=file, **self._user
            )
        try:
            yield Process(process, log)
        finally:
            process.kill()
            process.wait()


class Process:
    """A process of a service; what it says is in a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def address(self) -> str:
        """Where it answers, as soon as it is ready."""
        until = time.monotonic() + SECONDS_TO_START
        while not (found := re.search(r"Starting on (http://\S+),", self.log.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        address = f"http://127.0.0.1:{urlsplit(found[1]).port}"
        wait_until_ready(self.process, address)
        return address

    def ended(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
