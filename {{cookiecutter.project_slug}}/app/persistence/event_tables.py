"""The tables of events: the log, events of other services, the outbox (`reactions`) and the inbox."""

from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, Uuid, text

from app.persistence.column_types import Json, UtcDateTime
from app.persistence.tables import metadata

WAITING = text("published_at IS NULL")


def _event() -> tuple[Column[Any] | Index, ...]:
    """The columns of an event.

    `published_at` is when fan-out inserted its rows into `reactions`, or when that was skipped: for an event that an
    operator discarded, or an unreadable message. Its handlers may not have run yet. NULL: fan-out is pending.
    """
    return (
        Column("id", Uuid, primary_key=True),
        Column("aggregate_type", Text),
        Column("aggregate_id", Text),
        Column("version", Integer),
        Column("event_type", Text, nullable=False),
        Column("event_version", Integer, nullable=False, server_default="1"),
        Column("payload", Json, nullable=False),
        Column("metadata", Json, nullable=False),
        Column("occurred_at", UtcDateTime, nullable=False),
        Column("published_at", UtcDateTime),
        Index(None, "id", postgresql_where=WAITING, sqlite_where=WAITING),
        Index(None, "aggregate_type", "aggregate_id", "version", postgresql_where=WAITING, sqlite_where=WAITING),
    )


event_log = Table("event_log", metadata, *_event(), UniqueConstraint("aggregate_type", "aggregate_id", "version"))

received_events = Table(
    "received_events",
    metadata,
    *_event(),
    Column("source", Text, nullable=False),
    Column("previous", Integer),
    Column("received_at", UtcDateTime, nullable=False),
    Index(None, "source", "aggregate_type", "aggregate_id", "version"),
)
"""Events of other services.

`previous` is the version of the aggregate's previous public event, as the sender states it: fan-out waits for that
event for a limited time. NULL: there is none, or the sender did not state it. `received_at` is when it arrived here.
"""

reactions = Table(
    "reactions",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("handler", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("aggregate_type", Text),
    Column("aggregate_id", Text),
    Column("version", Integer),
    Column("due_at", UtcDateTime),
    Column("claimed_by", Text),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("dead", Boolean, nullable=False),
    Index(None, "handler", "due_at"),
    Index(None, "source", "aggregate_type", "aggregate_id", "handler", "version"),
)
"""One row per event and handler, for handlers that run after the commit.

A row is deleted when the handler has processed the event, or when an operator discards it. There is no foreign key,
because the event is in either `event_log` or `received_events`.

`source` is empty for events of this service. `due_at` is when the event may be claimed; for a claimed event, the end of
the lease. NULL means that it is a dead letter, or waits behind an earlier event of its aggregate.
"""

inbox = Table(
    "inbox",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("handler", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False, index=True),
)
"""Which handler processed which event, so that a repeated delivery is skipped. `received_at` is when it did."""
