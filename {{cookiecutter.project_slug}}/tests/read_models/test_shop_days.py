"""Days are those of the shop: sales, reports and hours, on the days when clocks change too."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from app.adapters.order_settings import OrderSettings
from app.composition.container import RunningService
from app.core.config import Settings, checked
from app.core.cqrs import ConfigurationError
from app.core.event_types import EventTypes
from app.handlers.order.get_daily_sales_handler import GetDailySalesQuery
from app.persistence.engine.database import Database
from app.persistence.projections.rebuilding import rebuild
from app.read_models.daily_sales import PROJECTION
from app.read_models.shop_days import shop_day, shop_zone
from tests.lifespan import service_with
from tests.orders import placed, staff
from tests.users import People, Person


@pytest.fixture(autouse=True)
def _no_zone_is_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SHOP_TIME_ZONE", raising=False)
    shop_zone.cache_clear()
    yield
    shop_zone.cache_clear()


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> None:
    in_zone("America/New_York", monkeypatch)


def in_zone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the shop be there from now on, as a new process would have it."""
    monkeypatch.setenv("SHOP_TIME_ZONE", name)
    shop_zone.cache_clear()


async def order_at(by: Person, *moments: datetime) -> None:
    """Order at these moments."""
    for moment in moments:
        with time_machine.travel(moment, tick=False):
            await placed(by)
            await by.bus.settled()


async def orders_on(cook: Person, day: date | None) -> int:
    """How many orders a day had; None: today."""
    return (await cook.query(GetDailySalesQuery(day))).unwrap().total_orders


@asynccontextmanager
async def shop(settings: Settings, cook: Person | None = None) -> AsyncIterator[tuple[RunningService, Person]]:
    """A new process of the service, and somebody of its staff."""
    async with service_with(settings) as service:
        yield service, replace(cook, bus=service.bus) if cook else await staff(People(service.bus))


@pytest.mark.usefixtures("new_york")
async def test_an_evening_in_new_york_is_no_next_day(settings: Settings) -> None:
    async with shop(settings) as (_, cook):
        # 22:00 and 23:59 on the first, and midnight: in UTC all three are of the second.
        evening = datetime(2030, 5, 2, 2, 0, tzinfo=UTC)
        await order_at(cook, evening, evening + timedelta(minutes=119), evening + timedelta(minutes=120))
        assert [await orders_on(cook, date(2030, 5, day)) for day in (1, 2)] == [2, 1]
        with time_machine.travel(evening, tick=False):
            assert (await cook.query(GetDailySalesQuery())).unwrap().date == date(2030, 5, 1)
            assert await orders_on(cook, None) == 2


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2030, 3, 10), 23), (date(2030, 11, 3), 25), (date(2030, 7, 1), 24)], ids=str
)
@pytest.mark.usefixtures("new_york")
def test_a_day_is_as_long_as_its_clocks_say(day: date, hours: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=shop_zone())
    moments = [start.astimezone(UTC) + timedelta(minutes=30 * half) for half in range(-4, 60)]
    assert sum(shop_day(moment) == day for moment in moments) == hours * 2


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (datetime(2030, 1, 1, 16, 30, tzinfo=UTC), True),  # 11:30 in winter
        (datetime(2030, 7, 1, 15, 30, tzinfo=UTC), True),  # 11:30 in summer
        (datetime(2030, 1, 1, 15, 30, tzinfo=UTC), False),
        (datetime(2030, 7, 1, 2, 30, tzinfo=UTC), True),  # 22:30 of the day before
    ],
)
@pytest.mark.parametrize("name", ["shop_time_zone", "kitchen_time_zone"])
def test_hours_are_told_by_the_same_clock(name: str, moment: datetime, is_open: bool) -> None:
    hours = checked(OrderSettings, **{"kitchen_hours": "11:00-23:00", name: "America/New_York"}).kitchen.hours
    assert hours is not None
    assert hours.include(moment) is is_open


async def test_after_a_change_of_zone_it_starts_when_sales_are_counted_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening = datetime(2030, 5, 2, 2, 0, tzinfo=UTC)
    async with shop(settings) as (service, cook):
        await order_at(cook, evening)
        assert await orders_on(cook, date(2030, 5, 2)) == 1
        types = await service.container.get(EventTypes)
    in_zone("America/New_York", monkeypatch)
    with pytest.raises(ConfigurationError, match="SHOP_TIME_ZONE: .* `app projections rebuild daily_sales`"):
        async with service_with(settings):
            pass
    database = Database(settings)
    await rebuild(database, types, PROJECTION)
    await database.close()
    async with shop(settings, cook) as (_, cook):
        assert [await orders_on(cook, date(2030, 5, day)) for day in (1, 2)] == [1, 0]


async def test_a_zone_with_the_same_days_needs_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    in_zone("Europe/Rome", monkeypatch)
    async with shop(settings) as (_, cook):
        await order_at(cook, datetime(2030, 5, 2, 23, 0, tzinfo=UTC))
    in_zone("Europe/Berlin", monkeypatch)
    async with shop(settings, cook) as (_, cook):
        assert await orders_on(cook, date(2030, 5, 3)) == 1
