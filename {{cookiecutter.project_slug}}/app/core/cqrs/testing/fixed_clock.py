"""A clock for tests."""

from datetime import UTC, datetime, timedelta


class FixedClock:
    """A clock that stands still until the test advances it."""

    def __init__(self, time: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.time = time

    def now(self) -> datetime:
        """The time of this clock."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Advance the clock by this many seconds."""
        self.time += timedelta(seconds=seconds)
