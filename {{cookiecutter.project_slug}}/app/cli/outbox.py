"""`app outbox`: the events that wait to be delivered, and what to do with those that cannot be."""

from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.terminal import CommandError, show_json, show_table

outbox_commands = typer.Typer(no_args_is_help=True, help="The events that wait to be delivered.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Ids = Annotated[list[UUID] | None, typer.Argument(metavar="EVENT_ID", help="Ids that `app outbox list` shows.")]
LONGEST_ERROR = 100


@outbox_commands.command()
def status(as_json: AsJson = False) -> None:
    """How many events wait, for how long, how many failed or are dead, and how many wait behind dead ones."""
    from app.cli.opened import with_database
    from app.persistence.backlog import backlogs

    found = with_database(backlogs)
    if as_json:
        show_json(found)
        return
    show_table(
        ("table", "waiting", "oldest (s)", "failed", "dead", "behind dead"),
        [(b.table, b.waiting, round(b.oldest_seconds, 1), b.failed, b.dead, b.behind_dead) for b in found],
    )


@outbox_commands.command("list")
def list_failed(
    dead: Annotated[bool, typer.Option("--dead", help="Only those that are not tried any more.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The events that failed and wait, the oldest first."""
    from app.cli.opened import with_database
    from app.persistence.waiting_events import failed_events

    found = with_database(lambda database: failed_events(database, dead_only=dead, limit=limit))
    if as_json:
        show_json(found)
    elif not found:
        typer.echo("No event that waits is dead." if dead else "No event that waits has failed.")
    else:
        show_table(
            ("id", "table", "event", "aggregate", "attempts", "next attempt", "last error"),
            [
                (e.id, e.table, e.event_type, e.aggregate, e.attempts, next_attempt(e), e.last_error[:LONGEST_ERROR])
                for e in found
            ],
        )


@outbox_commands.command()
def replay(
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that are dead, or failed and wait for a while.")] = False,
) -> None:
    """Let events be tried again now, as often as new ones: when what they failed from is mended."""
    from app.cli.opened import with_database
    from app.persistence import waiting_events

    meant = chosen(ids, every)
    count = with_database(lambda database: waiting_events.replay(database, meant))
    typer.echo(f"{events(count)} will be tried again now.")


@outbox_commands.command()
def purge(
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that are dead.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give dead events up: they are never delivered, and what waits behind them is.

    They stay in their table, dead and with their last error, and count as published since now.
    """
    from app.cli.opened import with_database
    from app.persistence import waiting_events

    meant = chosen(ids, every)
    dead = with_database(lambda database: waiting_events.dead_among(database, meant))
    if dead and not yes:
        typer.confirm(f"Give {events(dead)} up for ever?", abort=True)
    count = with_database(lambda database: waiting_events.purge(database, meant))
    typer.echo(f"{events(count)} given up.")


def chosen(ids: list[UUID] | None, every: bool) -> list[UUID] | None:
    """The events that are meant; None for all.

    Raises:
        CommandError: neither or both were said.
    """
    if bool(ids) == every:
        raise CommandError("Say which events: their ids, or --all. `app outbox list` shows them.")
    return ids or None


def next_attempt(event: Any) -> str:
    """When a failed event is tried again."""
    if event.dead:
        return "never: dead"
    return "now" if event.next_attempt_at is None else event.next_attempt_at.isoformat(timespec="seconds")


def events(count: int) -> str:
    """So many events, in words."""
    return "1 event" if count == 1 else f"{count} events"
