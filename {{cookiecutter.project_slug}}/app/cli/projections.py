"""`app projections`: the read models that projections maintain, and their rebuild."""

import sys
import time
from typing import Annotated, Any, TextIO

import typer

from app.cli.terminal import AsJson, CommandError, show_json, show_table
from app.persistence.projections import Projection

projections_commands = typer.Typer(no_args_is_help=True, help="The read models, and rebuilding them.")

READ_MODELS = "app.read_models"


@projections_commands.command("list")
def list_all() -> None:
    """List the read models and their tables."""
    found = projections()
    show_table(
        ("projection", "of", "tables"),
        [(name, one.aggregate_type, ", ".join(table.name for table in one.tables)) for name, one in found.items()],
    )


@projections_commands.command()
def status(as_json: AsJson = False) -> None:
    """Show how many rows each read model has, and how many events of the log it has not processed yet."""
    from app.cli.opened import with_database
    from app.persistence.engine.database import Database
    from app.persistence.projections.lag import State, state_of

    async def read(database: Database) -> list[State]:
        return [await state_of(database, one) for one in projections().values()]

    states = with_database(read)
    if as_json:
        show_json(states)
    else:
        show_table(("projection", "rows", "events behind"), [(s.projection, s.rows, s.behind) for s in states])


@projections_commands.command()
def rebuild(name: Annotated[str, typer.Argument(help="As `app projections list` shows it.")]) -> None:
    """Rebuild a read model from the event log. The service may run meanwhile."""
    if name not in (found := projections()):
        raise CommandError(f"There is no projection {name}: see `app projections list`.")
    from app.cli.opened import with_database
    from app.composition.container import event_types
    from app.persistence.engine.database import Database
    from app.persistence.projections.lag import events_of
    from app.persistence.projections.rebuilding import Rebuilding
    from app.persistence.projections.replacing import Replacement

    async def run(database: Database) -> Replacement:
        total = await events_of(database, found[name])
        with progress_bar(name, total, sys.stderr) as bar:
            return await Rebuilding(database, event_types(), found[name], bar.update).run()

    began = time.monotonic()
    took = with_database(run)
    typer.echo(f"{name} was rebuilt from {took.folded} events in {time.monotonic() - began:.1f} s.")
    rows = f"{took.deleted} rows were deleted and {took.inserted} inserted"
    typer.echo(f"{rows}; meanwhile, its writers had to wait for {took.locked_seconds:.1f} s at most.")


def projections() -> dict[str, Projection]:
    """Name -> projection, of all projections in the read models.

    Raises:
        ConfigurationError: if two have the same name, or one folds the events of an unknown aggregate.
    """
    from app.composition.container import aggregates
    from app.persistence.projections.projection import projections_in, require_aggregates

    found = projections_in(READ_MODELS)
    require_aggregates(found.values(), aggregates())
    return found


def progress_bar(label: str, length: int, file: TextIO) -> Any:
    """A progress bar, hidden unless the file is a terminal."""
    return typer.progressbar(length=length, label=label, hidden=not file.isatty(), file=file)
