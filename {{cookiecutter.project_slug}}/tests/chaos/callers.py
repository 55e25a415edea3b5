"""The service as a process of its own, and callers who have a connection each, as browsers have."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx2

from app.core.config import Settings
from tests.chaos.oracle import Violation, until
from tests.chaos.programs import Program, free_port

SERVICE = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 30.0
ANSWER_SECONDS = 100.0
"""Longer than the longest deadline of an operation: the service answers before its caller gives up."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    retry_after: str | None


def environment_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a process that has these settings and no others."""
    known = {name.upper() for name in Settings.model_fields}
    env = {name: value for name, value in os.environ.items() if name not in known}
    return env | {name.upper(): str(value) for name, value in settings.items()} | {"PYTHONPATH": str(SERVICE)}


class ServiceProcess:
    """The service, in a process that can be killed and started again at the same address."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        env = environment_of(settings)
        uvicorn = f"-m uvicorn --factory tests.chaos.service:create_app --port {self.port} --no-access-log"
        arguments = [sys.executable, *uvicorn.split(), "--log-level", "warning"]
        self.program = Program(arguments, folder / f"service-{self.port}.log", env, folder)

    async def start(self) -> Self:
        """Start it, and wait until it answers."""
        await self.program.start()
        async with httpx2.AsyncClient(base_url=self.url, verify=False, trust_env=False) as client:

            async def answers() -> bool:
                if not self.program.running:
                    raise Violation(f"The service does not start: {self.program.last_words()}")
                try:
                    return (await client.get("/health/live")).status_code == 200
                except httpx2.TransportError:
                    return False

            await until(answers, "The service is to start", START_SECONDS)
        return self

    async def stop(self) -> None:
        """End it in good order."""
        await self.program.end(signal.SIGTERM, STOP_SECONDS)


class Caller:
    """Somebody who sends one request after the other."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Answer | None:
        """What the service answers; None if it did not, so that nobody knows what it has done."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            response = await self._client.post(path, json=dict(body), headers=named)
        except httpx2.TransportError:
            return None
        return Answer(response.status_code, response.content, response.headers.get("retry-after"))

    async def deposit(self, account: UUID, entry: str, kind: str = "locked", **headers: str) -> Answer | None:
        """Pay one into an account."""
        return await self.post(f"/chaos/accounts/{account}/{kind}", {"entry": entry}, **headers)

    async def deposit_once(self, account: UUID, entry: str, **headers: str) -> Answer | None:
        """The same under an idempotency key, which is the entry."""
        return await self.deposit(account, entry, **headers, idempotency_key=entry)


@asynccontextmanager
async def callers(url: str, how_many: int) -> AsyncIterator[list[Caller]]:
    """So many callers of one service."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx2.AsyncClient(base_url=url, timeout=ANSWER_SECONDS, verify=False, trust_env=False)
            )
            for _ in range(how_many)
        ]
        yield [Caller(client) for client in clients]


async def share_out(work: list[Any], among: list[Caller], do: Any) -> None:
    """Let callers take one piece of work after the other, all at once, until nothing is left."""
    waiting = iter(work)

    async def busy(caller: Caller) -> None:
        for piece in waiting:
            await do(caller, piece)

    async with asyncio.TaskGroup() as tasks:
        for caller in among:
            tasks.create_task(busy(caller))
