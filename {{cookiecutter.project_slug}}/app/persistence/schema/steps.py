"""Applies and reverts migrations one by one, each in a transaction of its own that also records it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, text

from app.core.cqrs import ConfigurationError
from app.persistence.schema import applied, record
from app.persistence.schema.references import references_kept
from app.persistence.schema.revisions import Revisions

LOCK_SECONDS = 3
"""How long a migration waits for the lock of a table at a time: whoever wants the table later waits behind it."""
PAUSE_SECONDS = 3.0
PATIENCE_SECONDS = 600.0
NO_LOCK = frozenset({"55P03", "40P01"})
"""SQLSTATEs of PostgreSQL for a lock that was waited for too long, and for a deadlock."""

logger = structlog.get_logger(__name__)


def apply_missing(revisions: Revisions, context: Any) -> set[str]:
    """Apply all missing migrations. Returns those that a database without a record was assumed to have."""
    with context.begin_transaction():
        applied.read(context.connection).require_of(context.connection.info[applied.SERVICE])
        assumed = record.begin_record(context.connection, revisions)
    for one in revisions.known:
        _patiently(context, one, partial(_apply, revisions, one, context.connection))
    return assumed


def _apply(revisions: Revisions, one: str, connection: Connection) -> None:
    found = applied.read(connection)
    found.require_clear()
    if one in found.finished:
        return
    if strange := found.unknown(revisions):
        raise ConfigurationError(
            f"Migration {one} is missing, but the database has {', '.join(strange)}, which this code does not "
            "have. Merge both into one code base, or run `app db mark REVISION missing` for each that is gone."
        )
    later = revisions.after(one, found.finished)
    where = f"It comes before {later[-1]}, which is already applied. " if later else ""
    with _told(one, where), references_kept(connection):
        record.note(connection, revisions, begun=[one])
        revisions.modules[one].upgrade()
        record.note(connection, revisions, finished=[one])


def revert(revisions: Revisions, target: str, context: Any) -> list[str]:
    with context.begin_transaction():
        record.begin_record(context.connection, revisions)
        found = applied.read(context.connection)
        found.require_of(context.connection.info[applied.SERVICE])
        found.require_clear()
        if strange := found.unknown(revisions):
            raise ConfigurationError(
                f"The database has {', '.join(strange)}, which this code does not have: revert it with the code "
                "that has."
            )
        steps = _steps_back(revisions, target, found)
    for one in steps:
        _patiently(context, one, partial(_revert, revisions, one, context.connection))
    return steps


def _revert(revisions: Revisions, one: str, connection: Connection) -> None:
    with _told(one, ""), references_kept(connection):
        record.note(connection, revisions, begun=[one])
        revisions.modules[one].downgrade()
        record.note(connection, revisions, missing=[one])


def _patiently(context: Any, revision: str, step: Callable[[], None]) -> None:
    """Run a step in a transaction, and run it anew while other transactions hold the locks that it needs."""
    began = time.monotonic()
    while True:
        try:
            with context.begin_transaction():
                if context.connection.dialect.name == "postgresql":
                    context.connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
                step()
            return
        except ConfigurationError as error:
            if not _got_no_lock(error):
                raise
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise ConfigurationError(
                    f"Migration {revision} got no lock on its tables, because transactions such as a report or a dump "
                    "have had them all the time; what was done before it stays. The view pg_stat_activity shows these "
                    "by their xact_start: wait for them or end them, then run this again."
                ) from error
        logger.warning("migration_delayed", revision=revision, again_in_seconds=PAUSE_SECONDS)
        time.sleep(PAUSE_SECONDS)


def _got_no_lock(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "sqlstate", None) in NO_LOCK:
            return True
        error = error.__cause__
    return False


def _steps_back(revisions: Revisions, target: str, found: applied.Applied) -> list[str]:
    had = [one for one in reversed(revisions.known) if one in found.finished]
    if target == "base":
        return had
    if target.startswith("-") and target[1:].isdecimal():
        return had[: int(target[1:])]
    if target not in found.finished:
        names = ", ".join(reversed(had)) or "none"
        raise ConfigurationError(f"The database does not have migration {target}: it has {names}.")
    return revisions.after(target, found.finished)


@contextmanager
def _told(revision: str, where: str) -> Iterator[None]:
    """Turn an error into one that names the failing migration."""
    try:
        yield
    except Exception as error:
        logger.debug("migration_failed", revision=revision, exc_info=True)
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigurationError(
            f"Migration {revision} failed: {type(error).__name__}: {reason}. {where}"
            "The migrations before it are applied."
        ) from error
