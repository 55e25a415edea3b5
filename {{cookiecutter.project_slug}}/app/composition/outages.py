"""Outages of the relay's database and receivers: each is logged once, and waited for with a growing pause."""

from collections import Counter
from random import uniform

import structlog

from app.persistence.events.reaction import reason

LONGEST_OUTAGE_WAIT_SECONDS = 2.0

logger = structlog.get_logger(__name__)


class Outages:
    """The failures in a row of the database and of each receiver."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()

    def note(self, what: str, error: Exception) -> float:
        """Count a failure; the first one of an outage is logged. Returns how many seconds to wait."""
        if not self._failures[what]:
            logger.error("delivery_interrupted", to=what, reason=reason(error), exc_info=error)
        self._failures[what] += 1
        longest = min(0.1 * 2.0 ** min(self._failures[what], 10), LONGEST_OUTAGE_WAIT_SECONDS)
        return uniform(0.5, 1) * longest  # noqa: S311  # no secret

    def end(self, what: str) -> None:
        """Note a success: an outage is over."""
        if self._failures.pop(what, 0):
            logger.info("delivery_resumed", to=what)
