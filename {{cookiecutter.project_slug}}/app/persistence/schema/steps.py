"""Applies and reverts migrations one by one, each in a transaction of its own that also records it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from app.core.cqrs import ConfigurationError
from app.persistence.schema import applied, record
from app.persistence.schema.references import references_kept
from app.persistence.schema.revisions import Revisions

logger = structlog.get_logger(__name__)


def apply_missing(revisions: Revisions, assumed: set[str], context: Any) -> None:
    with context.begin_transaction():
        applied.read(context.connection).require_of(context.connection.info[applied.SERVICE])
        assumed |= record.begin_record(context.connection, revisions)
    for one in revisions.known:
        with context.begin_transaction():
            found = applied.read(context.connection)
            found.require_clear()
            if one in found.finished:
                continue
            if strange := found.unknown(revisions):
                raise ConfigurationError(
                    f"Migration {one} is missing, but the database has {', '.join(strange)}, which this code does not "
                    "have. Merge both into one code base, or run `app db mark REVISION missing` for each that is gone."
                )
            later = revisions.after(one, found.finished)
            where = f"It comes before {later[-1]}, which is already applied. " if later else ""
            with _told(one, where), references_kept(context.connection):
                record.note(context.connection, revisions, begun=[one])
                revisions.modules[one].upgrade()
                record.note(context.connection, revisions, finished=[one])


def revert(revisions: Revisions, target: str, context: Any) -> None:
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
        with context.begin_transaction(), _told(one, ""), references_kept(context.connection):
            record.note(context.connection, revisions, begun=[one])
            revisions.modules[one].downgrade()
            record.note(context.connection, revisions, missing=[one])


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
