"""`app db`: the tables of the database."""

from typing import Annotated

import typer

from app.cli.terminal import quiet_settings

db_commands = typer.Typer(no_args_is_help=True, help="The tables of the database.")


@db_commands.command()
def upgrade() -> None:
    """Bring the database up to date."""
    from app.persistence.schema import migrate

    migrate.upgrade(quiet_settings())
    typer.echo("The database is up to date.")


@db_commands.command(context_settings={"ignore_unknown_options": True})  # `-1` is not an option
def downgrade(
    revision: Annotated[str, typer.Argument(help="An id, `-1` for one step back, or `base` for nothing.")],
) -> None:
    """Take the database back to an earlier revision."""
    from app.persistence.schema import migrate

    reverted = migrate.downgrade(quiet_settings(), revision)
    typer.echo(f"Reverted: {', '.join(reverted) or 'nothing'}.")


@db_commands.command()
def revision(
    message: Annotated[str, typer.Argument(help="What changes, in a few words.")],
    *,
    merge: Annotated[bool, typer.Option("--merge", help="Only join the last migrations, where there are two.")] = False,
) -> None:
    """Write the next migration from the difference between the declared tables and the database."""
    from app.persistence.schema import migrate

    typer.echo(migrate.merge_revisions(message) if merge else migrate.create_revision(quiet_settings(), message))


@db_commands.command()
def mark(
    revision: Annotated[str, typer.Argument(help="The id of a migration.")],
    state: Annotated[str, typer.Argument(help="`applied` or `missing`.")],
) -> None:
    """Record whether a migration was applied, where only a person can know; nothing is run."""
    from app.persistence.schema import migrate

    migrate.mark(quiet_settings(), revision, state)
    typer.echo(f"Migration {revision} is on record as {state}.")


@db_commands.command()
def check() -> None:
    """Exit with 1 unless the database has every migration, and the migrations every table."""
    from app.persistence.schema import migrate

    migrate.check(quiet_settings())
    typer.echo("The database has every migration, and the migrations every table.")
