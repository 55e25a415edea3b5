"""Projections build read models. A projection is a pure fold of events, used both live and in batches.

A read model has a row for each aggregate: the fold takes the row and an event, and returns the new row. The row stores
the version of the last event folded into it. So an event that is delivered again, or late because a rebuild already
included it, changes nothing.

Aggregations over many aggregates are stored in tables of totals. Each row defines its contributions to them, its
shares; when the row changes, the difference is added. So totals can be corrected, and no event counts twice.

Live, a handler calls `project` or `project_committed` for one event. There are two kinds of these handlers:

    @event_handler(UserEvent, in_transaction=True)    a caller reads its own writes at once, at a price: the command
                                                      takes longer, and fails if the projection fails
    @event_handler(UserEvent) and @transactional()    the command does not wait, not even for others that change the
                                                      same totals; readers see the change a moment later

In batches, `app.persistence.projections.rebuilding` rebuilds the whole read model from the event log.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import RaisedEvent
from app.core.cqrs.event_types import EventTypes
from app.persistence.engine.upsert import adding, replacing
from app.persistence.events.event_log import stream

LOCK_ID = 0x61707073
"""Not the id of the lock of a rebuild."""

Row = Mapping[str, Any]
"""Column -> value; empty before the first event."""

Shares = Mapping[tuple[Any, ...], Mapping[str, Any]]
"""A table of totals and the key of a row in it -> column -> the contributed number.

The keys stay the same for the life of an aggregate; a withdrawn contribution is 0.
"""


def _no_shares(row: Row) -> Shares:
    return {}


@dataclass(frozen=True)
class Projection:
    """Defines how one read model is built from events.

    Args:
        name: its name in `app projections`.
        aggregate_type: the type of the aggregates whose events it folds, all of them.
        table: has a row for each aggregate; its key is the aggregate's id, and it has a `version`.
        fold: takes a row and the next event, and returns all columns but key and version; it must modify neither.
        shares: returns a row's contributions to totals.
        totals: the tables of totals.
    """

    name: str
    aggregate_type: str
    table: Table
    fold: Callable[[Row, Any], Row]
    shares: Callable[[Row], Shares] = _no_shares
    totals: tuple[Table, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the projection, in the order in which they are written."""
        return self.table, *self.totals


async def project(session: AsyncSession, projection: Projection, raised: RaisedEvent) -> None:
    """Fold an event that was just raised into its read model, in the same transaction, that of the session."""
    await fold_all(session, projection, [raised], {table: table for table in projection.tables})


async def project_committed(
    session: AsyncSession, projection: Projection, raised: RaisedEvent, types: EventTypes
) -> None:
    """Fold a committed event into its read model, in the transaction of the session.

    With several workers an event may arrive before an earlier one of its aggregate. Then the earlier ones are read from
    the log, and skipped when they arrive.
    """
    if _dialect(session) == "postgresql":  # a row that does not exist yet cannot be locked
        one = f"{projection.name} {raised.aggregate_id}"
        await session.execute(select(func.pg_advisory_xact_lock(LOCK_ID, func.hashtext(one))))
    live = {table: table for table in projection.tables}
    before = await _locked(session, projection.table, [raised])
    last = max((row["version"] for row in before.values()), default=0)
    events = [raised]
    if raised.version is not None and raised.version > last + 1:
        stored = await stream(session, projection.aggregate_type, str(raised.aggregate_id))
        events = [event.record(types).raised for event in stored if (event.version or 0) > last]
    await _fold(session, projection, events, before, live)


async def fold_all(
    session: AsyncSession, projection: Projection, events: Sequence[RaisedEvent], into: Mapping[Table, Table]
) -> int:
    """Fold events, in order for each aggregate, into the given tables in place of the projection's own.

    An aggregate whose first events are missing is skipped: it is older than the read model, and included by a rebuild.

    Args:
        session: its transaction is used.
        projection: the definition of the read model.
        events: committed or just raised events; those that a row already includes are skipped.
        into: a table of the projection -> the table to write, itself or its shadow.

    Returns:
        The number of events that were new.
    """
    before = await _locked(session, into[projection.table], events)
    return await _fold(session, projection, events, before, into)


async def _locked(session: AsyncSession, table: Table, events: Sequence[RaisedEvent]) -> dict[Any, Row]:
    """Lock the rows of these aggregates; key -> row. The lock also keeps a rebuild from replacing the table."""
    (key,) = table.primary_key
    wanted = select(table).where(key.in_(_keys(table, events).values())).order_by(key).with_for_update()
    return {row[key.name]: dict(row) for row in (await session.execute(wanted)).mappings()}


def _keys(table: Table, events: Sequence[RaisedEvent]) -> dict[Any, Any]:
    """Aggregate id -> the same id as a key of the table."""
    (key,) = table.primary_key
    return {event.aggregate_id: key.type.python_type(event.aggregate_id) for event in events}


async def _fold(
    session: AsyncSession,
    projection: Projection,
    events: Sequence[RaisedEvent],
    before: Mapping[Any, Row],
    into: Mapping[Table, Table],
) -> int:
    """Fold events into the previous rows, and write the changed ones."""
    table = into[projection.table]
    (key,), keys = table.primary_key, _keys(table, events)
    after, new = dict(before), 0
    for event, _, aggregate_id, version in events:
        one = keys[aggregate_id]
        row = after.get(one, {})
        last: int = row.get("version", 0)
        if version is not None and (last or version == 1) and version > last:
            after[one] = {**projection.fold(row, event), key.name: one, "version": version}
            new += 1
    changed = {one: row for one, row in after.items() if row is not before.get(one)}
    if changed:
        await session.execute(replacing(table, _dialect(session)), [dict(row) for row in changed.values()])
        if projection.totals:
            await _add(session, _difference(projection, before, changed), into)
    return new


def _difference(
    projection: Projection, before: Mapping[Any, Row], changed: Mapping[Any, Row]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The differences to add to the totals because rows changed."""
    added: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    for one, row in changed.items():
        had = projection.shares(before[one]) if one in before else {}
        for place, amounts in projection.shares(row).items():
            earlier = had.get(place)
            if amounts == earlier:
                continue
            total = added[place]
            for name, amount in amounts.items():
                total[name] = total.get(name, 0) + amount - (0 if earlier is None else earlier[name])
    return added


async def _add(
    session: AsyncSession, added: Mapping[tuple[Any, ...], Mapping[str, Any]], into: Mapping[Table, Table]
) -> None:
    """Add to totals, always in the same order, so that concurrent transactions wait instead of deadlocking."""
    by_table: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    for place in sorted(added, key=lambda place: (place[0].name, *place[1:])):
        table = into[place[0]]
        keys = (column.name for column in table.primary_key)
        by_table[table].append({**dict(zip(keys, place[1:], strict=True)), **added[place]})
    for table, rows in by_table.items():
        await session.execute(adding(table, _dialect(session)), rows)


def _dialect(session: AsyncSession) -> str:
    return session.get_bind().dialect.name
