"""Load on several processes of a service, of which some end and others begin: a load balancer and its clients."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from uuid import uuid4

import httpx2

CLIENTS = 8
PATIENCE_SECONDS = 30.0
UNAVAILABLE = range(500, 600)
ORDER = {
    "customer_name": "Luigi",
    "customer_phone": "+1 (555) 010-9999",
    "customer_address": "1 High Street",
    "pizza_items": [{"pizza_id": "margherita"}],
}


@dataclass
class Ledger:
    """What the clients know: which orders they were told to be placed, and what went wrong on the way."""

    placed: dict[str, str] = field(default_factory=dict)
    """Idempotency key -> id of the order."""
    retried: int = 0
    failed: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0


class Balancer:
    """The addresses that get requests now."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    def one(self, but: str = "") -> str:
        """Any of them, another one than this if there is one."""
        return random.choice([one for one in self.addresses if one != but] or self.addresses)


class Load:
    """Clients that place one order after the other, each with a key of its own, and send it once more if that fails."""

    def __init__(self, balancer: Balancer) -> None:
        self.ledger, self._balancer = Ledger(), balancer
        self._over = asyncio.Event()

    async def __aenter__(self) -> "Load":
        self._http = httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS)
        self._clients = [asyncio.create_task(self._client()) for _ in range(CLIENTS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await asyncio.gather(*self._clients)
        await self._http.aclose()

    async def more(self, orders: int = 40) -> None:
        """Wait until so many more are placed."""
        wanted, until = len(self.ledger.placed) + orders, time.monotonic() + PATIENCE_SECONDS
        while len(self.ledger.placed) < wanted:
            assert time.monotonic() < until, self.ledger
            await asyncio.sleep(0.01)

    async def _client(self) -> None:
        while not self._over.is_set():
            key, began = uuid4().hex, time.monotonic()
            address = self._balancer.one()
            answer = await self._send(address, key)
            if isinstance(answer, str):
                self.ledger.retried += 1
                answer = await self._send(self._balancer.one(but=address), key)
            if isinstance(answer, str) or answer.status_code != 201:
                self.ledger.failed.append(answer if isinstance(answer, str) else answer.text)
            else:
                self.ledger.placed[key] = answer.json()["order_id"]
            self.ledger.slowest_seconds = max(self.ledger.slowest_seconds, time.monotonic() - began)

    async def _send(self, address: str, key: str) -> httpx2.Response | str:
        """The answer; a text if the process could not give one."""
        try:
            answer = await self._http.post(f"{address}/api/orders", json=ORDER, headers={"Idempotency-Key": key})
        except httpx2.TransportError as error:
            return f"{type(error).__name__}: {error}"
        return answer.text if answer.status_code in UNAVAILABLE else answer
