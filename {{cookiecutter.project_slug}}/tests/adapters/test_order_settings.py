from datetime import UTC, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.adapters.order_settings import OrderSettings
from app.composition.container import running_service
from app.core.config import Settings, SettingsError, checked
from app.core.cqrs import ConfigurationError
from app.domain.kitchen import Hours, Kitchen


def test_the_kitchen_is_always_open_and_takes_every_order_unless_told_otherwise() -> None:
    assert checked(OrderSettings).kitchen == Kitchen(hours=None, capacity=None)


def test_the_kitchen_is_what_the_settings_say() -> None:
    settings = checked(OrderSettings, kitchen_hours="18:30-02:00", shop_time_zone="Europe/Rome", kitchen_capacity=3)
    assert settings.kitchen == Kitchen(Hours(time(18, 30), time(2), ZoneInfo("Europe/Rome")), 3)
    in_utc = checked(OrderSettings, kitchen_hours="11:00-23:00").kitchen.hours
    assert in_utc is not None
    assert in_utc.zone is UTC


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kitchen_hours": "25:00-26:00"}, "KITCHEN_HOURS is not valid: it has to look like 11:00-23:00."),
        ({"kitchen_hours": "noon"}, "KITCHEN_HOURS is not valid"),
        ({"shop_time_zone": "Mars/Olympus"}, "SHOP_TIME_ZONE is not valid: it has to be a name such as"),
        ({"shop_time_zone": "../etc/passwd"}, "SHOP_TIME_ZONE is not valid"),
        ({"shop_time_zone": ""}, "SHOP_TIME_ZONE is not valid"),
        ({"kitchen_capacity": 0}, "KITCHEN_CAPACITY is not valid"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        checked(OrderSettings, **values)
    assert sentence in str(raised.value)


async def test_a_payment_provider_that_is_not_there_stops_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_URL", "stripe://key@host")
    with pytest.raises(ConfigurationError, match="PAYMENT_URL has a scheme that nobody here understands"):
        async with running_service(settings):
            pass
