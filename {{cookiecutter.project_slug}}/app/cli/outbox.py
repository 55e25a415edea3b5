"""`app outbox`: shows undelivered events, and retries or discards those that failed."""

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from app.cli.terminal import AsJson, CommandError, quiet_settings, show_json, show_table

if TYPE_CHECKING:
    from app.persistence.engine.database import Database
    from app.persistence.events.waiting_events import FailedEvent

outbox_commands = typer.Typer(no_args_is_help=True, help="The events that wait to be delivered.")

Ids = Annotated[list[UUID] | None, typer.Argument(metavar="EVENT_ID", help="Ids that `app outbox list` shows.")]
Handler = Annotated[str | None, typer.Option("--handler", help="Only what waits for this handler.")]
LONGEST_ERROR = 100


@outbox_commands.command()
def status(as_json: AsJson = False) -> None:
    """Show for each handler how many events wait, for how long, and how many failed, are dead or behind dead ones."""
    from app.cli.opened import with_database
    from app.persistence.events.outbox_statistics import backlogs

    found = with_database(backlogs)
    if as_json:
        show_json(found)
        return
    show_table(
        ("handler", "waiting", "oldest (s)", "failed", "dead", "behind dead"),
        [(b.handler, b.waiting, round(b.oldest_seconds, 1), b.failed, b.dead, b.behind_dead) for b in found],
    )


@outbox_commands.command("list")
def list_failed(
    dead: Annotated[bool, typer.Option("--dead", help="Only dead events, which are not retried.")] = False,
    handler: Handler = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the events that failed and wait, the oldest first; with --handler "(new)", those without a class."""
    from app.cli.opened import with_database

    found = with_database(lambda database: listed(database, dead, handler, limit))
    if as_json:
        show_json(found)
    elif not found:
        typer.echo("No event that waits is dead." if dead else "No event that waits has failed.")
    else:
        show_table(
            ("id", "handler", "event", "aggregate", "attempts", "next attempt", "last error"),
            [
                (e.id, e.handler, e.event_type, e.aggregate, e.attempts, next_attempt(e), e.last_error[:LONGEST_ERROR])
                for e in found
            ],
        )


def listed(database: "Database", dead: bool, handler: str | None, limit: int) -> "Awaitable[list[FailedEvent]]":
    """The events that `list` shows."""
    from app.persistence.events.outbox_statistics import NEW
    from app.persistence.events.waiting_events import events_without_class, failed_events

    if handler == NEW and not dead:
        return events_without_class(database, kinds(), limit)
    return failed_events(database, dead_only=dead, limit=limit, handler=handler)


@outbox_commands.command()
def replay(
    ids: Ids = None,
    every: Annotated[
        bool, typer.Option("--all", help="All dead events, and failed ones that wait for their next attempt.")
    ] = False,
    handler: Handler = None,
) -> None:
    """Retry events now, with as many attempts as new ones, after the cause of their failure was removed."""
    from app.cli.opened import with_database
    from app.persistence.events import waiting_events

    meant = chosen(ids, every or (handler is not None and not ids))
    replayed = with_database(lambda database: waiting_events.replay(database, meant, handler))
    typer.echo(f"{events(replayed.total())} will be retried now.")
    tell_who_is_gone(replayed)


@outbox_commands.command()
def purge(
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All dead events; with --handler, only its dead ones.")] = False,
    handler: Handler = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Discard dead events: their handlers never get them, and events that wait behind them are handled.

    With --handler alone, without ids and --all, all events that wait for a handler are discarded, dead or not, which is
    meant for a handler that was removed; with --handler "(new)", those that have no class any more. The events stay in
    the event log.
    """
    from app.cli.opened import with_database
    from app.persistence.events import purging
    from app.persistence.events.outbox_statistics import NEW

    meant = chosen(ids, every or (handler is not None and not ids))
    choice = purging.Choice(meant, handler, dead_only=every, kinds=kinds() if handler == NEW else ())
    count, alive = with_database(lambda database: purging.count_chosen(database, choice))
    if count and not yes:
        typer.confirm(f"Discard {events(count)} for ever{f', {alive} of them not dead' if alive else ''}?", abort=True)
    typer.echo(f"{events(with_database(lambda database: purging.purge(database, choice)))} discarded.")


def chosen(ids: list[UUID] | None, every: bool) -> list[UUID] | None:
    """The selected events; None for all.

    Raises:
        CommandError: if neither or both are given.
    """
    if bool(ids) == every:
        raise CommandError("Name the events by their ids, or use --all. `app outbox list` shows them.")
    return ids or None


def kinds() -> list[tuple[str, str]]:
    """The source and type of all events that have a class."""
    from app.composition.container import event_types
    from app.persistence.events.outbox_statements import OWN

    return [(source or OWN, name) for source, name in event_types().classes]


def tell_who_is_gone(replayed: Mapping[str, int]) -> None:
    """Tell that events wait for handlers that this release does not have, or for a broker that is not set."""
    from app.composition.container import handler_names
    from app.persistence.events.outbox_statements import BROKER

    here = {*handler_names(), *([BROKER] if getattr(quiet_settings(), "broker_url", "") else [])}
    for handler, count in sorted(replayed.items()):
        if handler.partition("#")[0] not in here:
            typer.echo(
                f"This release has no {handler}, for which {events(count)} will wait. If no process has it, discard "
                f'them: app outbox purge --handler "{handler}".',
                err=True,
            )


def next_attempt(event: Any) -> str:
    """When a failed event is tried again."""
    if event.dead:
        return "never: dead"
    if event.due_at is None:
        return "with its class"
    return str(event.due_at.isoformat(timespec="seconds"))


def events(count: int) -> str:
    """The number of events with its noun, such as `2 events`."""
    return "1 event" if count == 1 else f"{count} events"
