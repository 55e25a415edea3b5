"""`app outbox resend`: sends public events to other services again."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.cli.outbox import events
from app.cli.terminal import CommandError, quiet_settings

ZONED = ["%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z"]


def resend(
    since: Annotated[datetime, typer.Option(formats=ZONED, help="The earliest moment, such as 2026-01-02T03:00Z.")],
    until: Annotated[
        datetime | None, typer.Option(formats=ZONED, help="Only events that happened before this moment.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; may be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Send the public events of a time to other services again, for those that have lost them or are new.

    Services drop what they received within 30 days. They handle older events again, so you are asked before.
    """
    from app.cli.opened import with_database
    from app.persistence.events import resending
    from app.persistence.sweeping import RECEIVED_SECONDS

    if not getattr(quiet_settings(), "broker_url", ""):
        raise CommandError("BROKER_URL is not set, so nobody would send the events: set it as in the service.")
    meant, now = public_types(types), datetime.now(UTC)
    if (now - since).total_seconds() > RECEIVED_SECONDS and not yes:
        typer.confirm("Services that received such old events handle them again. Send them?", abort=True)
    count = with_database(lambda database: resending.resend(database, meant, since, until or now))
    typer.echo(f"{events(count)} will be sent again.")


def public_types(chosen: list[str] | None) -> list[str]:
    """The chosen types; all that are public if none is.

    Raises:
        CommandError: if one of them is not public.
    """
    from app.composition.container import event_types

    public = sorted(event_class.event_type for event_class in event_types().classes.values() if event_class.public)
    private = sorted({*(chosen or ())} - {*public})
    if private or not public:
        raise CommandError(f"Not public: {', '.join(private)}. Public events: {', '.join(public) or 'none'}.")
    return chosen or public
