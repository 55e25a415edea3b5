from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.kitchen import Hours, Kitchen, KitchenOverloadedError

NOW = datetime(2026, 7, 1, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("opens", "closes", "at", "is_open"),
    [
        (11, 23, 10, False),
        (11, 23, 11, True),
        (11, 23, 23, False),
        (18, 2, 17, False),
        (18, 2, 18, True),
        (18, 2, 1, True),
        (18, 2, 2, False),
        (0, 0, 12, True),
    ],
)
def test_hours_may_go_past_midnight(opens: int, closes: int, at: int, is_open: bool) -> None:
    assert Hours(time(opens), time(closes), UTC).include(NOW.replace(hour=at)) is is_open


def test_hours_are_those_of_the_kitchens_own_clock() -> None:
    rome = Hours(time(20), time(23), ZoneInfo("Europe/Rome"))
    assert rome.include(NOW)
    assert not rome.include(NOW.replace(month=1))


def test_a_kitchen_without_limits_takes_every_order() -> None:
    Kitchen().require_room(10**6, NOW, NOW)


@pytest.mark.parametrize(
    ("first_ready", "wait"),
    [(NOW + timedelta(minutes=10), 600), (NOW + timedelta(seconds=5), 60), (NOW - timedelta(hours=1), 60), (None, 60)],
)
def test_a_full_kitchen_says_how_long_to_wait(first_ready: datetime | None, wait: int) -> None:
    Kitchen(capacity=2).require_room(1, first_ready, NOW)
    with pytest.raises(KitchenOverloadedError) as raised:
        Kitchen(capacity=2).require_room(2, first_ready, NOW)
    assert raised.value.details == {"retry_after": wait}
