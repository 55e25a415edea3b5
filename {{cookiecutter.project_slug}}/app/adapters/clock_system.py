"""The system clock as the `Clock` port."""

from datetime import UTC, datetime


class SystemClock:
    """Reads the computer's clock."""

    def now(self) -> datetime:
        """The current time, timezone-aware, in UTC."""
        return datetime.now(UTC)
