"""The service as processes of their own, which log JSON into files."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.databases import settings_for
from tests.processes import PATIENCE_SECONDS, Forked
from tests.telemetry import service

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.02


class Process:
    """One process; `settings` are what differs from a service in production on this database."""

    def __init__(self, log: Path, database_url: str, *words: str, **settings: object) -> None:
        secret = settings_for(database_url).secret_key.get_secret_value()
        given = {
            "ENVIRONMENT": "production",
            "DATABASE_URL": database_url,
            "SQLITE_IN_PRODUCTION": "true",
            "SECRET_KEY": secret,
            "RELAY_POLL_SECONDS": "0.05",
            "EVENT_MAX_ATTEMPTS": "1",
            "PASSWORD_TIME_COST": "2",
            "PASSWORD_MEMORY_KIB": "19456",
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        self._log = log
        self._is_worker = "worker" in words
        self._forked = Forked(service.start, log, {**os.environ, **given}, words)
        self.client = httpx2.Client(timeout=PATIENCE_SECONDS, verify=False)

    def said(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What it has logged under this name."""
        whole = (line for line in self.said().splitlines(keepends=True) if line.endswith("\n"))
        logged = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in logged if line["event"] == event]

    def started(self) -> None:
        """Wait until it works."""
        until(lambda: self._forked.has_ended or self._works(), self.said)
        assert not self._forked.has_ended, self.said()
        self.client.base_url = self.url

    def _works(self) -> bool:
        if self._is_worker:
            return bool(self.lines("service_started"))
        try:
            socket.create_connection(("127.0.0.1", urlsplit(self.url).port)).close()
        except OSError:
            return False
        return True

    @property
    def url(self) -> str:
        """Where it listens; nowhere at first."""
        found = re.search(r"Starting on (http://\S+),", self.said())
        return found[1] if found else "http://127.0.0.1:1"

    def ends(self) -> int:
        """What it exits with after SIGTERM."""
        return self._forked.ends(signal.SIGTERM)

    def close(self) -> None:
        """End it, if it still works."""
        self.client.close()
        self._forked.kill()


def until(found: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """Wait for something to be found, and return it; a test that waits in vain shows the other."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not (it := found()):
        assert time.monotonic() < ends, otherwise()
        time.sleep(POLL_SECONDS)
    return it
