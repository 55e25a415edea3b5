from datetime import UTC, datetime

from app.core.cqrs.testing import FixedClock


def test_the_clock_goes_when_it_is_told_to() -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.advance(90)
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    clock.time = datetime(2027, 1, 1, tzinfo=UTC)
    assert clock.now().year == 2027
