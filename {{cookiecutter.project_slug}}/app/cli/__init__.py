"""The command line, `app`; `app --help` lists its commands.

Also `python -m app`. Commands import what only they need: uvicorn, Alembic and the handlers take longer to import than
all the rest.

    terminal.py    the output of commands: sentences, tables, JSON
    service.py     run, worker
    health.py      health
    document.py    openapi
    database.py    db
    users.py       users
    outbox.py      outbox; `resending.py` adds `resend` where events leave the service
    events.py      events
    projections.py projections
    generator.py   new, undo: for developers; `new/` is what they do
"""

import os
import signal

if os.getpid() == 1:  # the first process of a container ignores a signal that it has no handler for
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))

import typer

from app.cli.database import db_commands
from app.cli.document import openapi
from app.cli.events import events_commands
from app.cli.generator import new_commands, undo
from app.cli.health import health
from app.cli.outbox import outbox_commands
from app.cli.projections import projections_commands
from app.cli.service import run, worker
from app.cli.terminal import ErrorReportingGroup
from app.cli.users import users_commands
from app.core.parts import optional

app = typer.Typer(cls=ErrorReportingGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(run)
app.command()(worker)
app.command()(health)
app.command()(openapi)
app.command()(undo)
app.add_typer(db_commands, name="db")
app.add_typer(users_commands, name="users")
if resending := optional("app.cli.resending"):
    outbox_commands.command()(resending.resend)
app.add_typer(outbox_commands, name="outbox")
app.add_typer(events_commands, name="events")
app.add_typer(projections_commands, name="projections")
app.add_typer(new_commands, name="new")
