"""Queries for the new events that fan-out may hand out now, in the order of their aggregates."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, exists, or_, select, tuple_, union_all

from app.persistence.column_types import UtcDateTime
from app.persistence.event_tables import event_log, received_events
from app.persistence.events.outbox_statements import OWN, SKIPPED, Handlers, source_of

HANDED_OUT_AT_ONCE = 500


def first_of_the_oldest(handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """What `first_of_our_own` returns for the aggregates of the oldest new events, without reading all new events.

    It finds nothing if events of unknown types precede all of these.
    """
    head, oldest = event_log.alias("head").c, _oldest(_new(event_log, handlers)).cte("oldest")
    aggregates = select(oldest.c.aggregate_type, oldest.c.aggregate_id).distinct().subquery()
    has_lowest_version = (
        select(head.id)
        .where(
            head.published_at.is_(None),
            head.aggregate_type == aggregates.c.aggregate_type,
            head.aggregate_id == aggregates.c.aggregate_id,
        )
        .order_by(head.version)
        .limit(1)
    )
    heads = select(has_lowest_version.scalar_subquery()).select_from(aggregates)
    without_aggregate = select(oldest.c.id).where(oldest.c.aggregate_id.is_(None))
    return _known(event_log, handlers).where(event_log.c.id.in_(union_all(heads, without_aggregate)))


def first_of_our_own(handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """New events of this service that no other new event of their aggregate precedes, except those of unknown types."""
    event, earlier = event_log.c, event_log.alias("earlier").c
    has_earlier = exists().where(
        earlier.published_at.is_(None),
        earlier.aggregate_type == event.aggregate_type,
        earlier.aggregate_id == event.aggregate_id,
        earlier.version < event.version,
    )
    return _oldest(_new(event_log, handlers).where(~has_earlier))


def first_of_others(handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """New events of other services that need not wait: no predecessor is stated, or it was handed out, or is late."""
    event, before = received_events.c, received_events.alias("before").c
    came = exists().where(
        before.source == event.source,
        before.aggregate_type == event.aggregate_type,
        before.aggregate_id == event.aggregate_id,
        before.version == event.previous,
        before.published_at.is_not(None),
    )
    waited = event.received_at <= bindparam("too_long_ago", type_=UtcDateTime)
    return _oldest(_new(received_events, handlers).where(or_(event.previous.is_(None), came, waited)))


def with_followers(table: Table, first: Select[*tuple[Any, ...]], handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """These events and those that directly follow them in their aggregates, whatever the order of their ids."""
    event, ready = table.c, select(first.subquery()).cte("ready", recursive=True)
    is_next = event.version == ready.c.version + 1 if table is event_log else event.previous == ready.c.version
    # In the log, old statistics of new events (none) would let PostgreSQL read all of them for each step.
    following = (_known if table is event_log else _new)(table, handlers).where(
        source_of(table) == ready.c.source,
        event.aggregate_type == ready.c.aggregate_type,
        event.aggregate_id == ready.c.aggregate_id,
        is_next,
    )
    all_of_it = ready.union(following)
    return select(all_of_it).where(all_of_it.c.published_at.is_(None)).limit(HANDED_OUT_AT_ONCE)


def _new(table: Table, handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """The new events of a table whose types are known."""
    return _known(table, handlers).where(table.c.published_at.is_(None))


def _known(table: Table, handlers: Handlers) -> Select[*tuple[Any, ...]]:
    event, source = table.c, source_of(table)
    columns = (event.id, event.aggregate_type, event.aggregate_id, event.version, event.event_type, event.published_at)
    is_known: ColumnElement[bool] = event.event_type.in_([name for source, name in handlers if source == OWN])
    if table is received_events:
        is_known = or_(tuple_(event.source, event.event_type).in_(list(handlers)), event.event_type == SKIPPED)
    return select(*columns, source.label("source")).where(is_known)


def _oldest(new: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return new.order_by(new.selected_columns.id).limit(HANDED_OUT_AT_ONCE)
