"""The command line: `app run`, `app db ...`, `app users ...`; also `python -m app`."""

import asyncio
import errno
import socket
import sys
from typing import Annotated, Any
from uuid import UUID

import structlog
import typer
from typer.core import TyperGroup

from app.core.config import Settings, SettingsError, load_settings
from app.core.cqrs import CQRSError
from app.core.logging import configure_logging

# What only some commands need, they import: uvicorn, Alembic and the handlers take longer than all the rest.

GRACE_SECONDS = 20
INTERRUPTED = 130
logger = structlog.get_logger(__name__)


class CommandError(Exception):
    """A command cannot be carried out; the sentence says why, and what to do."""


class OneSentence(TyperGroup):
    """Commands that tell what went wrong in one sentence, and exit with 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        configure_logging(level="warning")  # what goes wrong before there are settings is logged by the same rules
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            logger.debug("command_failed", exc_info=True)
            typer.echo(sentence(error), err=True)
            raise typer.Exit(1) from None


def sentence(error: Exception) -> str:
    """What somebody at a terminal needs to know about an error."""
    match error:
        case CQRSError():
            return " ".join([error.message, *(f"{field} {problem}." for field, problem in error.details.items())])
        case OSError(strerror=str(reason)):
            return f"{reason}: {error.filename}" if error.filename else f"{reason}."
        case CommandError() | SettingsError():
            return str(error)
        case _:
            return f"{type(error).__name__}: {str(error).partition(chr(10))[0]} (LOG_LEVEL=debug shows where)"


app = typer.Typer(cls=OneSentence, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
db = typer.Typer(no_args_is_help=True, help="The tables of the database.")
users = typer.Typer(no_args_is_help=True, help="The users of the service.")
app.add_typer(db, name="db")
app.add_typer(users, name="users")


@app.command()
def run(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8000,
) -> None:
    """Serve the API over HTTP, in one process, until SIGTERM or Ctrl+C."""
    settings = load_settings()
    listener = listen(host, port)
    address = f"[{host}]" if ":" in host else host
    typer.echo(f"Starting on http://{address}:{listener.getsockname()[1]}, Ctrl+C stops it.", err=True)
    try:
        serve(settings, listener)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except SystemExit:  # uvicorn's, when the service does not start; it has logged why
        raise typer.Exit(1) from None


def listen(host: str, port: int) -> socket.socket:
    """A socket on this address.

    Raises:
        CommandError: the port is taken, or the address is not of this machine.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            advice = "end the program that uses it, or take another with --port"
            raise CommandError(f"Port {port} of {host} is taken: {advice}.") from error
        raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from error
    return listener


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve the API on this socket."""
    import uvicorn

    from app.api.protocol import ProblemProtocol
    from app.main import create_app

    config = uvicorn.Config(
        create_app(settings),
        http=ProblemProtocol,
        lifespan="on",
        log_config=None,
        access_log=settings.environment == "development",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


@db.command()
def upgrade() -> None:
    """Bring the database up to date."""
    from app.persistence import migrate

    migrate.upgrade(quiet_settings())
    typer.echo("The database is up to date.")


@db.command(context_settings={"ignore_unknown_options": True})  # `-1` is no option
def downgrade(
    revision: Annotated[str, typer.Argument(help="An id, `-1` for one step back, or `base` for nothing.")],
) -> None:
    """Take the database back to an earlier revision."""
    from app.persistence import migrate

    migrate.downgrade(quiet_settings(), revision)


@db.command()
def revision(message: Annotated[str, typer.Argument(help="What changes, in a few words.")]) -> None:
    """Write the next migration from what the tables are and what the database has."""
    from app.persistence import migrate

    typer.echo(migrate.create_revision(quiet_settings(), message))


@db.command()
def check() -> None:
    """Exit with 1 unless the database has every migration, and the migrations every table."""
    from app.persistence import migrate

    migrate.check(quiet_settings())
    typer.echo("The database has every migration, and the migrations every table.")


@users.command()
def create_admin(
    email: Annotated[str, typer.Argument(help="The e-mail address to log in with.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
    ] = False,
) -> None:
    """Make an administrator."""
    settings = quiet_settings()
    password = (
        read_password() if password_stdin else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    typer.echo(asyncio.run(make_admin(settings, email, password)))


def ask_password() -> str:
    """The password, typed twice at the terminal."""
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def read_password() -> str:
    """The first line of standard input; never an argument, which everybody on the machine can read."""
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise CommandError("The password on standard input is not UTF-8 text.") from None


async def make_admin(settings: Settings, email: str, password: str) -> UUID:
    """Have the service make an administrator.

    Raises:
        CQRSError: it cannot.
    """
    from app.core.container import running_service
    from app.handlers.user.create_admin_handler import CreateAdminCommand

    async with running_service(settings) as service:
        command = CreateAdminCommand(email=email, password=password)
        command.metadata.source = "cli"
        return (await service.bus.execute_command(command)).unwrap()


def quiet_settings() -> Settings:
    """The settings, for a command that speaks for itself: only what is wrong is logged."""
    settings = load_settings()
    level = "debug" if settings.log_level == "debug" else "warning"
    configure_logging(json=settings.environment == "production", level=level)
    return settings
