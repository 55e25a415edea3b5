"""Projections build read models. A projection is a pure fold of events, used both live and in batches.

A read model has a row for each aggregate: the fold takes the row and an event, and returns the new row. The row stores
the version of the last event folded into it. So an event that is delivered again, or late because a rebuild already
included it, changes nothing.

Aggregations over many aggregates are stored in tables of totals. Each row defines its contributions to them, its
shares; when the row changes, the difference is added. So totals can be corrected, and no event counts twice.

A projection in a module of `app.read_models` is kept up to date, event by event (`live`); present means active.
In batches, `rebuilding` rebuilds the whole read model from the event log.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from app.core.cqrs import AggregateRoot, ConfigurationError, DomainEvent
from app.core.discovery import discover

Row = Mapping[str, Any]
"""Column -> value; empty before the first event."""

Shares = Mapping[tuple[Any, ...], Mapping[str, Any]]
"""A table of totals and the key of a row in it -> column -> the contributed number.

What a row contributes no more is subtracted. A total that is 0 may have a row or none.
"""


@dataclass(frozen=True)
class Projection:
    """Defines how one read model is built from events.

    Args:
        name: its name in `app projections`.
        aggregate_type: the type of the aggregates whose events it folds, all of them.
        events: the base class of these events.
        table: has a row for each aggregate; its key is the aggregate's id, and it has a `version`.
        fold: takes a row and the next event, and returns all columns but key and version; it must modify neither.
        shares: returns a row's contributions to totals.
        totals: the tables of totals.
        in_transaction: True: callers read their own writes at once, at a price: the command takes longer, waits for
            others that change the same rows, and fails if the projection fails. False: the read model follows after
            the commit, and readers see the change a moment later.
    """

    name: str
    aggregate_type: str
    events: type[DomainEvent]
    table: Table
    fold: Callable[[Row, Any], Row]
    shares: Callable[[Row], Shares] = lambda _: {}
    totals: tuple[Table, ...] = ()
    in_transaction: bool = False

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the projection, in the order in which they are written."""
        return self.table, *self.totals


def projections_in(package: str) -> dict[str, Projection]:
    """The projections in the modules of a package: name -> projection.

    Raises:
        ConfigurationError: if two have the same name, or a table of theirs in common.
        DiscoveryError: if a module cannot be imported.
    """
    found: dict[str, Projection] = {}
    for module in discover(package).modules:
        for one in vars(module).values():
            if isinstance(one, Projection) and found.setdefault(one.name, one) is not one:
                tables = f"{found[one.name].table.name} and {one.table.name}"
                raise ConfigurationError(f"Two projections are called {one.name}, of {tables}: rename one of them.")
    _refuse_shared_tables(found.values())
    return found


def require_aggregates(projections: Iterable[Projection], aggregates: Iterable[type[AggregateRoot]]) -> None:
    """Make sure that every projection folds the events of an aggregate of this service.

    Raises:
        ConfigurationError: if one does not; a rebuild would find no events.
    """
    known = {cls.aggregate_type for cls in aggregates}
    for one in projections:
        if one.aggregate_type not in known:
            raise ConfigurationError(
                f"The projection {one.name} folds the events of {one.aggregate_type}, but no aggregate of this service "
                f"has this aggregate_type: name one of {', '.join(sorted(known))}, or, if its class was renamed or "
                f'removed, set aggregate_type = "{one.aggregate_type}" in the new class, or restore the old one.'
            )


def _refuse_shared_tables(projections: Iterable[Projection]) -> None:
    owners: dict[str, Projection] = {}
    for one in projections:
        for table in one.tables:
            owner = owners.setdefault(table.name, one)
            if owner is not one:
                raise ConfigurationError(
                    f"The projections {owner.name} and {one.name} both write the table {table.name}, and a rebuild of "
                    "one would delete the rows of the other: give each a table of its own."
                )
