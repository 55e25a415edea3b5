"""Every endpoint is loaded once a round, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.http.load import Crowd, MakeRequest, request

CPU = request("GET", "/cpu-seconds")
WARM_UP_SECONDS = 1.0


@dataclass
class Endpoint:
    """What is loaded, and what the rounds said about it."""

    name: str
    make: MakeRequest
    floor: "Endpoint | None" = None
    """What it is compared with; None: it is a floor itself."""
    bar: float | None = None
    """The least throughput, compared with the floor."""
    answers: int = 0
    rates: list[float] = field(default_factory=list)
    """Answers a second, of each round."""
    cpu: list[float] = field(default_factory=list)
    """Seconds of a processor that the service took for each answer, of each round."""

    @property
    def ratios(self) -> list[float]:
        """Its throughput compared with the floor's in the same round."""
        return [ours / base for ours, base in zip(self.rates, (self.floor or self).rates, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of that."""
        return median(self.ratios)

    @property
    def holds(self) -> bool:
        """Whether it keeps its bar."""
        return self.bar is None or self.ratio >= self.bar


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
