"""`app events`: reads the event log."""

import json
from typing import Annotated

import typer

from app.cli.terminal import AsJson, CommandError, printable, show_json

events_commands = typer.Typer(no_args_is_help=True, help="The event log.")


@events_commands.callback()
def events() -> None:
    """The event log."""


@events_commands.command()
def stream(
    aggregate_type: Annotated[str, typer.Argument(help="The class of the aggregate, such as User.")],
    aggregate_id: Annotated[str, typer.Argument(help="Its id.")],
    as_json: AsJson = False,
) -> None:
    """Show the events of one aggregate, from the beginning: version, time, event and its data."""
    from app.cli.opened import with_database
    from app.persistence.engine.database import Database
    from app.persistence.events.event_log import stream as read_stream
    from app.persistence.events.stored_event import StoredEvent

    async def read(database: Database) -> list[StoredEvent]:
        async with database.reading() as session:
            return await read_stream(session, aggregate_type, aggregate_id)

    found = with_database(read)
    if not found:
        raise CommandError(f"The event log has nothing about {aggregate_type} {aggregate_id}: is it the right id?")
    if as_json:
        show_json(found)
        return
    for event in found:
        said = json.dumps(event.payload, ensure_ascii=False)
        when = event.occurred_at.isoformat(timespec="milliseconds")
        typer.echo(printable(f"{event.version:>4}  {when}  {event.event_type}  {said}"))
