from datetime import UTC, datetime

import pytest
import time_machine

from app.composition.container import running_service
from app.core.config import Settings, SettingsError
from app.persistence.order_tables import orders
from tests.databases import ON_SQLITE
from tests.orders import place_order
from tests.rows import rows_of


async def test_orders_are_taken_while_the_kitchen_is_open(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_HOURS", "11:00-23:00")
    monkeypatch.setenv("SHOP_TIME_ZONE", "UTC")
    told = {}
    async with running_service(settings) as service:
        for hour in (10, 11, 22, 23):
            with time_machine.travel(datetime(2026, 5, 1, hour, tzinfo=UTC), tick=True):
                result = await service.bus.execute_command(place_order())
            told[hour] = (result.status.name, result.error_message)
        assert len(await rows_of(service, orders)) == 2
    closed = ("BUSINESS_RULE", "The kitchen is closed; it opens at 11:00.")
    assert told == {10: closed, 11: ("CREATED", None), 22: ("CREATED", None), 23: closed}


@ON_SQLITE
async def test_hours_that_make_no_sense_stop_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_HOURS", "from noon to hunter2")
    with pytest.raises(SettingsError, match=r"KITCHEN_HOURS is not valid: it has to look like 11:00-23:00\.") as raised:
        async with running_service(settings):
            pass
    assert "hunter2" not in str(raised.value)
