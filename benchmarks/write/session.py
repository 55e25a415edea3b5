"""One run: every endpoint is loaded once a round, one after the other, and in the end the rows are counted."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from uuid import UUID

from app.adapters.clock_system import SystemClock
from app.adapters.tokens_jwt import JwtAccessTokens
from app.core.config import Settings
from benchmarks.write.load import Crowd, MakeRequest, request

PARCEL = json.dumps({"recipient": "Erika Mustermann, Musterweg 1, 12345 Musterstadt", "grams": 1250}).encode()
CPU = request("GET", "/cpu-seconds")
WARM_UP_SECONDS = 1.0


class WrongCountError(Exception):
    """There are not as many rows as there were answers, so the figures are worthless."""


@dataclass
class Endpoint:
    """One way to write, and what the rounds said about it."""

    name: str
    make: MakeRequest
    bar: float | None = None
    """The least throughput, compared with the first endpoint."""
    writes_keys: bool = False
    answers: int = 0
    rates: list[float] = field(default_factory=list)
    """Answers a second, of each round."""
    cpu: list[float] = field(default_factory=list)
    """Seconds of a processor that the service took for each answer, of each round."""

    def ratios(self, floor: "Endpoint") -> list[float]:
        """Its throughput compared with the floor's in the same round."""
        return [ours / base for ours, base in zip(self.rates, floor.rates, strict=True)]

    def ratio(self, floor: "Endpoint") -> float:
        """The median of that."""
        return median(self.ratios(floor))


def endpoints(settings: Settings, user_id: UUID) -> list[Endpoint]:
    """The floor first."""
    token = JwtAccessTokens(settings, SystemClock()).issue(user_id, user_id)
    by_hand, with_orm, through_bus = map(_post, ("/by-hand", "/by-hand-with-orm", "/through-bus"))
    protected = _protected(token)
    return [
        Endpoint("by hand", lambda: by_hand),
        Endpoint("by hand, state by the ORM", lambda: with_orm),
        Endpoint("transaction, events, validation", lambda: through_bus, bar=0.8),
        Endpoint("with authorisation and idempotency", lambda: next(protected), bar=0.6, writes_keys=True),
    ]


def _post(path: str, **headers: str) -> bytes:
    return request("POST", path, PARCEL, Content_Type="application/json", **headers)


def _protected(token: str) -> Iterator[bytes]:
    """Requests with a token, and each with a key of its own."""
    sample = _post("/protected", Authorization=f"Bearer {token}", Idempotency_Key="%020d")
    before, _, after = sample.partition(b"%020d")
    return (b"%b%020d%b" % (before, number, after) for number in count())


async def measure(crowd: Crowd, found: Sequence[Endpoint], rounds: int, seconds: float) -> None:
    """Load all endpoints in turn, so that a busy moment of the machine hits them alike."""
    for endpoint in found:
        endpoint.answers += (await crowd.load(endpoint.make, WARM_UP_SECONDS))[0]
    for _ in range(rounds):
        for endpoint in found:
            before = float(await crowd.ask(CPU))
            answers, elapsed = await crowd.load(endpoint.make, seconds)
            endpoint.answers += answers
            endpoint.rates.append(answers / elapsed)
            endpoint.cpu.append((float(await crowd.ask(CPU)) - before) / answers)


def check(found: Iterable[Endpoint], stored: dict[str, int]) -> None:
    """Make sure that everything acknowledged is stored, and nothing else.

    Raises:
        WrongCountError: it is not.
    """
    answers = sum(endpoint.answers for endpoint in found)
    keys = sum(endpoint.answers for endpoint in found if endpoint.writes_keys)
    expected = {"parcels": answers, "event_log": answers, "idempotency_keys": keys}
    if stored != expected:
        raise WrongCountError(f"There are {stored}, and there should be {expected}.")
