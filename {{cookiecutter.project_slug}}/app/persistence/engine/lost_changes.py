"""Changes that SQLAlchemy would lose in silence: inside of a list, dict or set, and events of what left its session."""

from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import JSON, event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.types import ARRAY, PickleType, TypeDecorator

from app.core.cqrs import AggregateRoot, ConfigurationError

T = TypeVar("T", bound=object)

VALUES = "_values_as_stored"
"""Attribute -> its list, dict or set, and a copy of it as it is stored."""


def flag_changes_inside(session: Session) -> None:
    """Mark attributes as modified whose lists, dicts or sets were changed in place since they were loaded or stored."""
    for instance in (*session.new, *session.identity_map.values()):
        _compare(instance)


async def require_state(aggregate: AggregateRoot, session: AsyncSession) -> None:
    """Raise a ConfigurationError if the state of an aggregate would not be stored with the events that it raised."""
    if "version" not in vars(aggregate):  # it was expired
        await session.refresh(aggregate, ["version"])
    mapped = inspect(aggregate, raiseerr=False)  # None if it is event-sourced
    is_whole = vars(aggregate).get("version") == vars(aggregate)["_raised_events"][-1].version
    if mapped is not None and (mapped.session is None or not is_whole):
        raise ConfigurationError(
            f"{type(aggregate).__name__} raised events, but its changes were dropped by expunge(), expire() or the "
            "like, so only the events would be stored: flush() before it, or do without it."
        )


def _refuse_events(how: str, instances: Iterable[object]) -> None:
    """Raise a ConfigurationError if one of the instances has raised events, which a copy of its state leaves behind."""
    for one in instances:
        if isinstance(one, AggregateRoot) and one.count_events():
            raise ConfigurationError(
                f"{how} stores the state of {type(one).__name__} {one.id} without the events that it raised: load "
                "it and change it, or add a new one by session.add()."
            )


class WholeStates(Session):
    """A session that stores no copy of a state without the events that belong to it."""

    def merge(self, instance: T, **options: Any) -> T:
        """Copy the state of an instance; a ConfigurationError if it has raised events, which stay behind."""
        _refuse_events("merge()", [instance])
        return super().merge(instance, **options)

    def bulk_save_objects(self, objects: Iterable[object], *args: Any, **options: Any) -> None:
        """Store the state of objects; a ConfigurationError if one of them has raised events, which stay behind."""
        kept = [*objects]
        _refuse_events("bulk_save_objects()", kept)
        super().bulk_save_objects(kept, *args, **options)


def _compare(instance: Any) -> None:
    state = vars(instance)
    for name in _may_change_inside(inspect(instance).mapper):
        value, stored = state.get(name), state.setdefault(VALUES, {})
        known, copy = stored.get(name, (None, None))
        if value is known and value == copy:
            continue
        if value is known:
            flag_modified(instance, name)
        stored[name] = value, deepcopy(value) if type(value) in (list, dict, set) else value


def _note_loaded(instance: Any, *_: Any) -> None:
    if getattr(inspect(instance).session, "flags_changes_inside", False):
        _compare(instance)


@cache
def _may_change_inside(mapper: Mapper[Any]) -> tuple[str, ...]:
    """The attributes of a mapped class whose values may be lists, dicts or sets."""
    mutable = (JSON, ARRAY, PickleType, TypeDecorator)
    return tuple(one.key for one in mapper.column_attrs if isinstance(one.columns[0].type, mutable))


for moment in ("load", "refresh"):
    event.listen(Mapper, moment, _note_loaded)
