"""Two kinds of sessions: those of units of work, and those that can only read."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.core.cqrs import AggregateRoot, ConcurrencyError
from app.persistence.errors import final, read_only


class UnitSession(Session):
    """The session of a unit of work. It holds every aggregate it has seen until the end.

    SQLAlchemy's own identity map is weak: after a flush an aggregate that nobody holds is collected, and the
    events it raised with it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.aggregates: dict[int, AggregateRoot] = {}

    def flush(self, objects: Any = None) -> None:
        """Write what changed.

        Raises:
            ConcurrencyError: somebody else changed it too, and was first.
        """
        try:
            super().flush(objects)
        except StaleDataError as error:
            raise final(ConcurrencyError("Somebody else changed this in the meantime: read it again.")) from error


class ReadSession(Session):
    """A session that refuses to write, even before the database would."""

    def flush(self, objects: Any = None) -> None:
        """Refuse changes.

        Raises:
            ConfigurationError: something was changed.
        """
        self.refuse_changes()

    def refuse_changes(self) -> None:
        """Make sure that nothing was changed.

        Raises:
            ConfigurationError: something was; without a transaction it would be lost without a word.
        """
        if self.new or self.deleted or any(self.is_modified(changed) for changed in self.dirty):
            raise read_only()


def session_on(engine: AsyncEngine, kind: type[Session]) -> AsyncSession:
    """A session of this kind on this engine."""
    return AsyncSession(engine, sync_session_class=kind, expire_on_commit=False)


def _hold(session: Session, instance: object) -> None:
    if isinstance(session, UnitSession) and isinstance(instance, AggregateRoot):
        session.aggregates[id(instance)] = instance


event.listen(UnitSession, "loaded_as_persistent", _hold)
event.listen(UnitSession, "after_attach", _hold)
