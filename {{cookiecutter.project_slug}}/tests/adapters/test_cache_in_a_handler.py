from collections.abc import AsyncIterator

import pytest

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import Cache, CQRSBus
from tests.adapters import exchange_rates
from tests.adapters.exchange_rates import GetRate
from tests.lifespan import service_with

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with exchange rates."""
    async with service_with(settings, ("app.handlers", "tests.adapters.exchange_rates")) as running:
        yield running


async def test_a_handler_may_keep_things_under_keys_of_its_own(
    service: RunningService, bus: CQRSBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(exchange_rates, "asked", asked)
    for currency, day in (("EUR", "monday"), ("EUR", "monday"), ("CHF", "monday"), ("EUR", "tuesday")):
        assert (await bus.execute_query(GetRate(currency, day))).unwrap() == f"1 {currency} = 2 dollars"
    assert asked == ["EUR", "CHF", "EUR"]

    cache = await service.container.get(Cache)
    kept = await cache.get("rate:monday:CHF")
    assert kept is not None
    assert (kept.value, kept.ttl_seconds) == (b"1 CHF = 2 dollars", pytest.approx(3600, abs=10))
    await cache.invalidate(["rates"])
    await bus.execute_query(GetRate("CHF", "monday"))
    assert asked[3:] == ["CHF"]
