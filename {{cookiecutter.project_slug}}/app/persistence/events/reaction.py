"""A reaction: an event claimed for a handler, the outcome of its delivery, and when a failed one is retried."""

import random
from dataclasses import dataclass
from typing import Any

from app.core.cqrs import TransientError
from app.persistence.events.outbox_statements import Stream
from app.persistence.events.stored_event import StoredEvent

LONGEST_BACKOFF_SECONDS = 300.0
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that this process has claimed for a handler."""

    event: StoredEvent
    source: str
    handler: str
    attempts: int
    """How often the handler has failed so far."""
    previous: int | None
    """The version of the aggregate's previous public event."""

    @property
    def stream(self) -> Stream:
        """The stream whose head this event is."""
        return self.handler, self.source, self.event.aggregate_type, self.event.aggregate_id

    def failure(self) -> dict[str, Any]:
        """What a line of the log says about a failed attempt, which counts already."""
        return {
            "handler": self.handler,
            "event_type": self.event.event_type,
            "event_id": str(self.event.id),
            "attempts": self.attempts + 1,
            "operation_id": self.event.metadata.get("operation_id"),
            "traceparent": self.event.metadata.get("traceparent"),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a delivery: done, failed, or given back as if the event had never been claimed."""

    claimed: Claimed
    error: Exception | None = None
    is_given_back: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the handler processed the event."""
        return self.error is None and not self.is_given_back


@dataclass(frozen=True, slots=True)
class Retries:
    """When a failed event is retried, and when it is a dead letter.

    Args:
        max_attempts: after so many failures an event is dead for the handler, and waits for an operator. It is retried
            nevertheless while the last error is transient, such as an outage.
        seconds: backoff after the first failure; doubled after each further one, up to 5 minutes.
    """

    max_attempts: int
    seconds: float

    def is_dead(self, claimed: Claimed, error: Exception) -> bool:
        """Whether this failure is the last one."""
        return claimed.attempts + 1 >= self.max_attempts and not _may_pass(error)

    def backoff(self, attempts: int) -> float:
        """Seconds until the next attempt, with jitter (half to all): events that failed together are retried apart."""
        longest = min(self.seconds * 2.0 ** min(attempts - 1, 30), LONGEST_BACKOFF_SECONDS)
        return random.uniform(longest / 2, longest)  # noqa: S311  # no secret


def _may_pass(error: BaseException) -> bool:
    """Whether the error, or every error of a group, is transient, so that it may go away by itself."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_may_pass, error.exceptions))
    return isinstance(error, TransientError)


def reason(error: BaseException) -> str:
    """The reason of a failed delivery, as text for an operator."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(reason, error.exceptions))[:LONGEST_REASON]
    try:
        text = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
    except Exception:
        text = f"{type(error).__name__}, which cannot be printed"
    return text.encode(errors="replace").decode().replace("\x00", "?")  # databases reject these characters
