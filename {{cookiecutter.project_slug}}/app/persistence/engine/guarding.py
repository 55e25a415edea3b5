"""Optimistic locking: checks that the versions of all changed aggregates move.

A row is only overwritten if its version is still the one that was read. This protects an aggregate only if every change
of it, or of a row that is part of it, increases its version, as raising an event does.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from time import time
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, inspect, select, tuple_
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty, Session

from app.core.cqrs import AggregateRoot, ConfigurationError
from app.persistence.event_tables import event_log


def require_versions(mappers: Iterable[Mapper[Any]]) -> None:
    """Make sure that every aggregate is mapped with its own version counter.

    Raises:
        ConfigurationError: if one is not: concurrent changes of it would go undetected.
    """
    for mapper in mappers:
        version = mapper.version_id_col
        is_counted = version is not None and version.key == "version" and mapper.version_id_generator is False
        if issubclass(mapper.class_, AggregateRoot) and not is_counted:
            raise ConfigurationError(
                f"{mapper.class_.__name__} is an aggregate and counts its versions, but they are not mapped: give "
                "map_imperatively() version_id_col=<table>.c.version and version_id_generator=False."
            )


class Changes:
    """The aggregates that were changed, and those whose version moved, since a unit of work began."""

    def __init__(self, before: "Changes | None" = None) -> None:
        self._changed: dict[int, AggregateRoot] = {} if before is None else {**before._changed}
        self._moved: set[int] = set() if before is None else {*before._moved}
        self._strays: set[tuple[str, str]] = set() if before is None else {*before._strays}

    def note(self, session: Session, aggregates: Collection[AggregateRoot]) -> None:
        """Record what a flush is about to write.

        A new or deleted aggregate needs no event: two transactions cannot both insert or delete it.
        """
        come_or_gone = (*session.new, *session.deleted)
        self._moved |= {id(instance) for instance in come_or_gone if isinstance(instance, AggregateRoot)}
        parts = [instance for instance in come_or_gone if not isinstance(instance, AggregateRoot)]
        for instance in filter(session.is_modified, session.dirty):
            if not isinstance(instance, AggregateRoot):
                parts.append(instance)
            elif inspect(instance).attrs.version.history.has_changes():
                self._moved.add(id(instance))
            else:
                self._changed[id(instance)] = instance
        while parts:
            part = parts.pop()
            for owner in _owners(session, part, aggregates):
                if isinstance(owner, AggregateRoot):
                    self._changed[id(owner)] = owner
                elif isinstance(owner, type):
                    self._strays.add((type(part).__name__, owner.__name__))
                else:
                    parts.append(owner)

    def require_events(self) -> None:
        """Make sure that the version of each changed aggregate has moved.

        Raises:
            ConfigurationError: if one has not: a concurrent transaction could overwrite the change.
        """
        for key, aggregate in self._changed.items():
            if key not in self._moved:
                raise ConfigurationError(
                    f"{type(aggregate).__name__} {aggregate.id} was changed but raised no event, so its version did "
                    "not move, and a change made at the same time could be lost: raise an event in the method that "
                    "changes it."
                )
        for part, whole in self._strays:
            raise ConfigurationError(
                f"{part} is a part of {whole} and was changed without it, so a change made at the same time could be "
                f"lost: load the {whole}, and change it by a method that raises an event."
            )


def _owners(session: Session, part: Any, aggregates: Collection[AggregateRoot]) -> Iterator[object]:
    """The loaded objects that a row is part of; for an aggregate that is not loaded, its class."""
    for relationship in _owning(inspect(type(part))):
        whole = relationship.parent
        ids = {
            column: part.__dict__.get(_name(relationship.mapper, remote))
            for column, remote in relationship.synchronize_pairs
        }
        identity = tuple(ids.get(column) for column in whole.primary_key)
        if None in identity:  # a new row: it is in its owner's collection, so the owner is changed, too
            continue
        if not issubclass(whole.class_, AggregateRoot):
            owner = session.identity_map.get(whole.identity_key_from_primary_key(identity))
            if owner is not None:
                yield owner
            continue
        names = [_name(whole, column) for column in whole.primary_key]
        loaded = [aggregate for aggregate in aggregates if isinstance(aggregate, whole.class_)]
        owners = (one for one in loaded if tuple(one.__dict__.get(name) for name in names) == identity)
        yield next(owners, whole.class_)


@cache
def _owning(mapper: Mapper[Any]) -> tuple[RelationshipProperty[Any], ...]:
    """The one-to-many relationships that own these rows; none for aggregates, which have their own versions."""
    if issubclass(mapper.class_, AggregateRoot):
        return ()
    return tuple(
        relationship
        for whole in mapper.registry.mappers
        for relationship in whole.relationships
        if relationship.direction is RelationshipDirection.ONETOMANY and relationship.mapper is mapper
    )


def _name(mapper: Mapper[Any], column: Any) -> str:
    return mapper.get_property_by_column(column).key


def continue_streams(session: Session, aggregates: Collection[AggregateRoot]) -> None:
    """Number the events of new aggregates after those of deleted ones that had the same id."""
    new = [instance for instance in session.new if isinstance(instance, AggregateRoot) and instance.id is not None]
    if not new:
        return
    streams = {(aggregate.aggregate_type, str(aggregate.id)): aggregate for aggregate in new}
    found = session.connection().execute(_LAST_VERSIONS, {"streams": list(streams)})
    versions = {(kind, id_): version for kind, id_, version in found}
    for earlier in aggregates:  # deleted in this very unit of work, so their events are not in the log yet
        stream = earlier.aggregate_type, str(earlier.id)
        if stream in streams and earlier is not streams[stream]:
            versions[stream] = max(versions.get(stream, 0), earlier.version)
    for stream, version in versions.items():
        streams[stream].continue_stream(version)


def is_made_since(moment: float, id_: object) -> bool:
    """Whether an id is a UUIDv7 whose timestamp lies between this moment and now.

    Args:
        moment: in seconds since the epoch.
        id_: the id of an aggregate.
    """
    if not isinstance(id_, UUID) or id_.version != 7:
        return False
    made_at = id_.int >> 80  # milliseconds of the epoch: RFC 9562, section 5.7
    return int(moment * 1000) <= made_at <= int(time() * 1000)


def _last_versions() -> Select[str, str, int]:
    log = event_log.c
    of_these = tuple_(log.aggregate_type, log.aggregate_id).in_(bindparam("streams", expanding=True))
    last = select(log.aggregate_type, log.aggregate_id, func.max(log.version)).where(of_these)
    return last.group_by(log.aggregate_type, log.aggregate_id)


_LAST_VERSIONS = _last_versions()
