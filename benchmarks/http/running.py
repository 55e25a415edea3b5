"""The service under load, as a process of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

START_SECONDS = 30.0


class NotStartedError(Exception):
    """The service under load does not start."""


@asynccontextmanager
async def running(module: str, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """Start the service that is this module, with these settings; its port.

    Raises:
        NotStartedError: it does not start; it has said why on standard error.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=os.environ | environment, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            port = await process.stdout.readline()
            if not port:
                raise NotStartedError("The service under load did not start.")
            await _listening(int(port))
        yield int(port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    """Wait for the first answer. The port takes connections before the service does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /cpu-seconds HTTP/1.1\r\nHost: benchmark\r\nConnection: close\r\n\r\n")
    if not await reader.read():
        raise NotStartedError("The service under load did not answer.")
    writer.close()
