"""A real server in the process of the test, for what only a network has: raw sockets and WebSockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from app.cli.service import listen, server_config
from app.core.config import Settings
from tests.core.cqrs.support import within_patience


@asynccontextmanager
async def listening(app: FastAPI, settings: Settings) -> AsyncIterator[int]:
    """The port of a server of this app, set up as `app run` does; it ends as on SIGTERM."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(server_config(app, settings))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await within_patience(task)
        listener.close()


async def answer_to(port: int, sent: bytes) -> bytes:
    """All that is answered until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await within_patience(reader.read())
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
