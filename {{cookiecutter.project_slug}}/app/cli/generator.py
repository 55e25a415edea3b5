"""`app new` and `app undo`: write the files of a use case as the guide does, and take them back."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal import CommandError

if TYPE_CHECKING:
    from app.cli.new.kinds import UseCase

new_commands = typer.Typer(no_args_is_help=True, help="Write a use case, its test and its migration, as docs/ does.")

Name = Annotated[str, typer.Argument(help="The aggregate and the use case, such as invoice/void_invoice.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be written, as a diff.")]
EVENT = "The event that it raises; by default the aggregate and the verb in the past, such as InvoiceVoided."
Event = Annotated[str | None, typer.Option("--event", help=EVENT)]


@new_commands.command()
def aggregate(
    name: Annotated[str, typer.Argument(help="A noun in the singular, such as invoice or credit_note.")],
    plural: Annotated[str | None, typer.Option(help="The name of its table, if it is irregular.")] = None,
    command: Annotated[str | None, typer.Option(help="The command that begins one; by default open_NAME.")] = None,
    event: Event = None,
    dry_run: DryRun = False,
) -> None:
    """A state that belongs to a user: events, table, repository, migration, permissions, routes, a command, a query."""
    from app.cli.new import kinds

    _carry_out(f"aggregate {name}", lambda: kinds.aggregate(name, plural, command, event), dry_run)


@new_commands.command()
def command(name: Name, event: Event = None, dry_run: DryRun = False) -> None:
    """A command, the method of the aggregate that it calls, the event, the endpoint, and its permission for members."""
    from app.cli.new import kinds

    _carry_out(f"command {name}", lambda: kinds.command(*_parts(name), event), dry_run)


@new_commands.command()
def query(name: Name, dry_run: DryRun = False) -> None:
    """A query of one row of an aggregate, and its endpoint."""
    from app.cli.new import kinds

    _carry_out(f"query {name}", lambda: kinds.query(*_parts(name)), dry_run)


@new_commands.command("event_handler")
def event_handler(
    name: Annotated[str, typer.Argument(help="The feature and the reaction, such as invoice/notify_owner.")],
    event: Annotated[str, typer.Option("--event", help="An event of app/domain with a user_id.")],
    dry_run: DryRun = False,
) -> None:
    """A reaction after the commit, which sends a notification to the user of the event."""
    from app.cli.new import kinds

    _carry_out(f"event_handler {name}", lambda: kinds.event_handler(*_parts(name), event), dry_run)


@new_commands.command()
def projection(name: Name, dry_run: DryRun = False) -> None:
    """A read model: how many were begun on each day, and how often these were changed since."""
    from app.cli.new import kinds

    _carry_out(f"projection {name}", lambda: kinds.projection(*_parts(name)), dry_run)


def undo() -> None:
    """Take back what the last `app new` wrote, unless it was changed since."""
    from app.cli.new import record
    from app.cli.new.guide import require_checkout

    require_checkout()
    command, files = record.undo()
    typer.echo(f"Taken back: app new {command}")
    for path in files:
        typer.echo(f"  {path}")


def _carry_out(command: str, case: "Callable[[], UseCase]", dry_run: bool) -> None:
    from app.cli.new import record
    from app.cli.new.guide import require_checkout
    from app.cli.new.planning import VERSIONS, planned

    require_checkout()
    changes = planned(case())
    if dry_run:
        typer.echo("".join(change.diff() for change in changes), nl=False)
        return
    record.write(command, changes)
    for change in changes:
        typer.echo(f"{'new    ' if change.before is None else 'changed'}  {change.path}")
    tests = [change.path for change in changes if "/test_" in change.path]
    if any(change.path.startswith(VERSIONS) for change in changes):
        typer.echo("Next: .venv/bin/app db upgrade")
    typer.echo(f"Test: make test ARGS='{' '.join(tests)}'")


def _parts(name: str) -> tuple[str, str]:
    """The two parts of a name.

    Raises:
        CommandError: if it has another number of them.
    """
    match name.split("/"):
        case [feature, use_case]:
            return feature, use_case
    raise CommandError(f"{name} is not a name such as invoice/void_invoice: the aggregate, then the use case.")
