"""Programs that chaos starts itself. It ends these and no others, each by its own id."""

import asyncio
import os
import pwd
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.oracle import Violation

LINES_TOLD = 15


class Program:
    """A program in a session of its own, so that Ctrl+C reaches chaos alone, which then ends it in good order.

    Args:
        arguments: the program and what it is told.
        log: the file that takes what it prints.
        env: its environment, all of it.
        cwd: the folder it works in.
        user: who it runs as, where chaos runs as root; None: whoever runs chaos.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, env: Mapping[str, str], cwd: Path, user: str | None = None
    ) -> None:
        self._arguments = arguments
        self._log = log
        self._env = env
        self._cwd = cwd
        self._user = user
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Its id; another one after each start."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it; it need not be ready yet."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self._env),
                cwd=self._cwd,
                start_new_session=True,
                **as_user(self._user),
            )

    async def end(self, how: signal.Signals, seconds: float) -> None:
        """Signal it and its children, and wait until it has ended.

        Raises:
            Violation: it has not within so many seconds; it is killed then.
        """
        if self._process is None:
            return
        self._signal(how)
        try:
            await self.ended(seconds)
        except Violation:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            raise

    async def ended(self, seconds: float) -> int:
        """Wait until it has ended by itself; its exit code, negative for a signal.

        Raises:
            Violation: it goes on.
        """
        assert self._process is not None, "it was started"
        try:
            async with asyncio.timeout(seconds):
                return await self._process.wait()
        except TimeoutError:
            raise Violation(f"{self._arguments[0]} goes on after {seconds:g} s.") from None

    def last_words(self) -> str:
        """The end of what it printed."""
        if not self._log.exists():
            return "nothing"
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LINES_TOLD:])

    def _signal(self, how: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self._process is not None and self._process.returncode is None:
                os.killpg(self._process.pid, how)


def as_user(user: str | None) -> dict[str, Any]:
    """What starts a program as this user; nothing where it is None."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def greets(port: int, say: bytes, answer: bytes) -> bool:
    """Whether somebody on this port answers like this to what is said."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(say)
                return await reader.readexactly(len(answer)) == answer
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
