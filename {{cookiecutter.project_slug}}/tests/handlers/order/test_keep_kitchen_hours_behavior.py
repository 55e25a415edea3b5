from datetime import UTC, datetime

import pytest
import time_machine

from app.composition.container import running_service
from app.core.config import Settings, SettingsError
from app.core.cqrs import OperationStatus
from app.persistence.order_tables import orders
from tests.orders import place_order
from tests.rows import rows_of


@pytest.fixture(autouse=True)
def _hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_HOURS", "11:00-23:00")
    monkeypatch.setenv("SHOP_TIME_ZONE", "UTC")


@pytest.mark.parametrize(
    ("hour", "status"),
    [
        (10, OperationStatus.BUSINESS_RULE),
        (11, OperationStatus.CREATED),
        (22, OperationStatus.CREATED),
        (23, OperationStatus.BUSINESS_RULE),
    ],
)
async def test_orders_are_taken_while_the_kitchen_is_open(
    settings: Settings, hour: int, status: OperationStatus
) -> None:
    with time_machine.travel(datetime(2026, 5, 1, hour, tzinfo=UTC), tick=True):
        async with running_service(settings) as service:
            result = await service.bus.execute_command(place_order())
            assert result.status is status
            assert len(await rows_of(service, orders)) == (1 if result.is_success else 0)
            if result.is_failure:
                assert result.error_message == "The kitchen is closed; it opens at 11:00."


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_hours_that_make_no_sense_stop_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_HOURS", "from noon to hunter2")
    with pytest.raises(SettingsError, match=r"KITCHEN_HOURS is not valid: it has to look like 11:00-23:00\.") as raised:
        async with running_service(settings):
            pass
    assert "hunter2" not in str(raised.value)
