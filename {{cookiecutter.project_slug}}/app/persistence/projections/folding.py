"""Folds events into the tables of a projection: its rows, and the totals that they have shares in."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import RaisedEvent
from app.persistence.engine.upsert import adding, replacing, value_columns
from app.persistence.projections.projection import Projection, Row


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
    before = await locked(session, into[projection.table], events)
    return await fold(session, projection, events, before, into)


async def locked(session: AsyncSession, table: Table, events: Sequence[RaisedEvent]) -> dict[Any, Row]:
    """Lock the rows of these aggregates; key -> row. The lock also keeps a rebuild from replacing the table."""
    (key,) = table.primary_key
    wanted = select(table).where(key.in_(_keys(table, events).values())).order_by(key).with_for_update()
    return {row[key.name]: dict(row) for row in (await session.execute(wanted)).mappings()}


def _keys(table: Table, events: Sequence[RaisedEvent]) -> dict[Any, Any]:
    """Aggregate id -> the same id as a key of the table."""
    (key,) = table.primary_key
    return {event.aggregate_id: key.type.python_type(event.aggregate_id) for event in events}


async def fold(
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
        statement = replacing(table, session.get_bind().dialect.name)
        await session.execute(statement, [dict(row) for row in changed.values()])
        if projection.totals:
            await _add(session, _difference(projection, before, changed), into)
    return new


def _difference(
    projection: Projection, before: Mapping[Any, Row], changed: Mapping[Any, Row]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The differences to add to the totals because rows changed: for each place a number for all of its columns."""
    added: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one, row in changed.items():
        had = projection.shares(before[one]) if one in before else {}
        has = projection.shares(row)
        for place in {**had, **has}:
            if had.get(place) == has.get(place):
                continue
            total = added.setdefault(place, dict.fromkeys(value_columns(place[0]), 0))
            for name, amount in has.get(place, {}).items():
                total[name] += amount
            for name, amount in had.get(place, {}).items():
                total[name] -= amount
    return added


async def _add(
    session: AsyncSession, added: Mapping[tuple[Any, ...], Mapping[str, Any]], into: Mapping[Table, Table]
) -> None:
    """Add to totals, always in the same order, so that concurrent transactions wait instead of deadlocking."""
    by_table: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    for place in sorted(added, key=lambda place: (place[0].name, *map(str, place[1:]))):
        table = into[place[0]]
        keys = (column.name for column in table.primary_key)
        by_table[table].append({**dict(zip(keys, place[1:], strict=True)), **added[place]})
    for table, rows in by_table.items():
        await session.execute(adding(table, session.get_bind().dialect.name), rows)
