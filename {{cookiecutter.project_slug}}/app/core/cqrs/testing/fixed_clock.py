"""A clock for tests."""

from datetime import UTC, datetime, timedelta


class FixedClock:
    """A clock that goes only when it is told to."""

    def __init__(self, time: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.time = time

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.time += timedelta(seconds=seconds)
