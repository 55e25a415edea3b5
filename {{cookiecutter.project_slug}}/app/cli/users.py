"""`app users`: the users of the service."""

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import typer

from app.cli.terminal import CommandError, quiet_settings
from app.core.config import Settings

users_commands = typer.Typer(no_args_is_help=True, help="The users of the service.")


@users_commands.command()
def create_admin(
    email: Annotated[str, typer.Argument(help="The e-mail address to log in with.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
    ] = False,
) -> None:
    """Create an administrator."""
    settings = quiet_settings()
    password = read_password() if password_stdin else ask_password(email)
    typer.echo(asyncio.run(make_admin(settings, email, password)))


def ask_password(email: str) -> str:
    """The password of a new user, typed twice at the terminal.

    Raises:
        CommandError: if the e-mail address is not valid.
    """
    from app.domain.user import email_problem

    if problem := email_problem(email):
        raise CommandError(f"email {problem}.")
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def read_password() -> str:
    """Read the first line of standard input. An argument could be read by everybody on the machine.

    Raises:
        CommandError: if it is not UTF-8 text.
    """
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise CommandError("The password on standard input is not UTF-8 text.") from None


async def make_admin(settings: Settings, email: str, password: str) -> UUID:
    """Start the service, and create an administrator.

    Raises:
        CQRSError: if that is refused.
    """
    from app.composition.container import running_service
    from app.handlers.user.create_admin_handler import CreateAdminCommand

    async with running_service(settings) as service:
        command = CreateAdminCommand(email=email, password=password)
        command.metadata.source = "cli"
        return (await service.bus.execute_command(command)).unwrap()
