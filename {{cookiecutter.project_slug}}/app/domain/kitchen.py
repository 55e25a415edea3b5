"""The kitchen: when it is open, and how much it can do at once."""

from dataclasses import dataclass
from datetime import datetime, time, tzinfo

from app.core.cqrs import ServiceUnavailableError

SHORTEST_WAIT_SECONDS = 60.0


class KitchenOverloadedError(ServiceUnavailableError):
    """The kitchen has as many orders as it can make; `details["retry_after"]` is in seconds."""


@dataclass(frozen=True)
class Hours:
    """The opening hours of the kitchen, in its own time zone; it may close after midnight."""

    opens: time
    closes: time
    zone: tzinfo

    def include(self, now: datetime) -> bool:
        """Whether the kitchen is open now."""
        local = now.astimezone(self.zone).time()
        if self.opens < self.closes:
            return self.opens <= local < self.closes
        return local >= self.opens or local < self.closes


@dataclass(frozen=True)
class Kitchen:
    """The limits of the kitchen; None: no limit."""

    hours: Hours | None = None
    capacity: int | None = None
    """How many orders may be pending or cooking at once."""

    def require_room(self, orders: int, first_ready: datetime | None, now: datetime) -> None:
        """Make sure that the kitchen has room for one more order.

        Args:
            orders: the number of orders it has.
            first_ready: when the first of them will be ready.
            now: the current time.

        Raises:
            KitchenOverloadedError: if it has none; it says how long to wait.
        """
        if self.capacity is None or orders < self.capacity:
            return
        wait = 0.0 if first_ready is None else (first_ready - now).total_seconds()
        raise KitchenOverloadedError(
            "The kitchen is full, try again later.", details={"retry_after": max(wait, SHORTEST_WAIT_SECONDS)}
        )
