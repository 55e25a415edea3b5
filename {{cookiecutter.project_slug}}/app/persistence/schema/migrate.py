"""The commands of `app db`, which migrate the schema. Alembic is imported late; its files are in `app/migrations/`."""

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.persistence.schema import record
from app.persistence.schema.applied import read
from app.persistence.schema.references import require_references
from app.persistence.schema.revisions import Revisions, alembic_config, read_revisions, require_writable
from app.persistence.schema.runner import run_alone, run_in_alembic
from app.persistence.schema.steps import apply_missing, revert


def upgrade(settings: Settings) -> None:
    """Apply all missing migrations in order, each in a transaction of its own.

    Raises:
        ConfigurationError: if a migration fails, the code has no single last migration, the record is ambiguous or of
            another service, or a record that had to be assumed does not fit the tables.
    """
    revisions = read_revisions()
    revisions.newest  # noqa: B018 - refuses two last migrations before anything is done
    assumed = run_in_alembic(settings, partial(apply_missing, revisions))
    if not assumed:
        return
    try:
        check(settings)
    except ConfigurationError as error:
        raise ConfigurationError(
            "All migrations are applied. This database had no record of them: it was assumed to have "
            f"{', '.join(sorted(assumed))}. But its tables differ from those of the code, as `app db check` says. If "
            "one of them was never run, run `app db mark REVISION missing`, then `app db upgrade`; if everything is "
            "as you want it, there is nothing more to do."
        ) from error


def downgrade(settings: Settings, revision: str) -> list[str]:
    """Downgrade the database to a revision: its id, `-1` for one step, or `base` for the empty schema.

    Returns:
        The migrations that were reverted, the last one first.

    Raises:
        ConfigurationError: if the database has no such revision, a migration fails, or the record is ambiguous.
    """
    return run_in_alembic(settings, partial(revert, read_revisions(), revision))  # type: ignore[no-any-return]


def create_revision(settings: Settings, message: str) -> Path:
    """Generate the next migration from the differences between the tables in the code and the database.

    Its id is the current time, so that two developers do not choose the same one.

    Returns:
        The new file.

    Raises:
        ConfigurationError: if the database is not up to date, the code has two last migrations, or it is no checkout.
    """
    from alembic import command

    require_writable()
    revisions = read_revisions()
    if revisions.known:
        revisions.newest  # noqa: B018 - refuses two last migrations
    name = revisions.name_for_now()

    def write(connection: Connection) -> Any:
        _require_complete(connection, revisions)
        config = alembic_config(connection=connection)
        return command.revision(config, message=message, rev_id=name, autogenerate=True)

    return Path(run_alone(settings, write).path)


def merge_revisions(message: str) -> Path:
    """Generate a merge migration: it changes nothing, and follows all last migrations.

    Returns:
        The new file.

    Raises:
        ConfigurationError: if there are fewer than two to merge, or the code is no checkout.
    """
    from alembic import command

    require_writable()
    revisions = read_revisions()
    last = revisions.heads_of(revisions.known)
    if len(last) < 2:
        raise ConfigurationError(f"There is nothing to merge: {', '.join(last) or 'none'} is the last migration.")
    script: Any = command.merge(alembic_config(), last, message=message, rev_id=revisions.name_for_now())
    return Path(script.path)


def check(settings: Settings) -> None:
    """Make sure that all migrations are applied, that the tables are those of the code, and that foreign keys hold.

    Raises:
        ConfigurationError: if not; the message says what to run.
    """
    from alembic import command

    revisions = read_revisions()

    def compare(connection: Connection) -> None:
        _require_complete(connection, revisions)
        require_references(connection)
        command.check(alembic_config(connection=connection))

    run_alone(settings, compare)


def mark(settings: Settings, revision: str, state: str) -> None:
    """Record that a migration is `applied` or `missing`, without running it.

    Raises:
        ConfigurationError: if neither the code nor the database knows the revision, or the state is another word.
    """
    revisions = read_revisions()
    if state not in ("applied", "missing"):
        raise ConfigurationError(f"The state of a migration is applied or missing, but not {state}.")

    def write(connection: Connection) -> None:
        with connection.begin():
            record.begin_record(connection, revisions)
            if revision not in {*revisions.known, *read(connection).unknown(revisions)}:
                raise ConfigurationError(f"Neither the code nor the database has a migration {revision}.")
            chosen = {"finished" if state == "applied" else "missing": [revision]}
            record.note(connection, revisions, **chosen)

    run_alone(settings, write)


def _require_complete(connection: Connection, revisions: Revisions) -> None:
    if revisions.known:
        read(connection).require_complete(revisions)
