"""The output of commands: errors as sentences, results as tables for people or as JSON for programs."""

import os
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import structlog
import typer
from pydantic import TypeAdapter
from typer.core import TyperGroup

from app.core.config import Settings, SettingsError, load_settings
from app.core.cqrs import CQRSError
from app.core.logging import configure_logging

logger = structlog.get_logger(__name__)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


class CommandError(Exception):
    """A command cannot be carried out; the message says why, and what to do."""


class ErrorReportingGroup(TyperGroup):
    """A group of commands that print an error as a sentence to standard error, and exit with 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command, and report its error."""
        configure_logging(level=_level(os.environ.get("LOG_LEVEL")))  # until the command has loaded the settings
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            logger.debug("command_failed", exc_info=True)
            typer.echo(sentence(error), err=True)
            raise typer.Exit(1) from None


def sentence(error: Exception) -> str:
    """An error as a sentence for a person at a terminal."""
    match error:
        case CQRSError():
            details = [f"{field} {problem}." for field, problem in error.details.items()]
            return " ".join([error.message, *(detail for detail in details if detail not in error.message)])
        case OSError(strerror=str(reason)):
            return f"{reason}: {error.filename}" if error.filename else f"{reason}."
        case CommandError() | SettingsError():
            return str(error)
        case _:
            return f"{type(error).__name__}: {str(error).partition(chr(10))[0]} (LOG_LEVEL=debug shows where)"


def quiet_settings() -> Settings:
    """Load the settings for a command with output of its own: it logs little, unless LOG_LEVEL is `debug`."""
    settings = load_settings()
    configure_logging(json=settings.environment == "production", level=_level(settings.log_level))
    return settings


def _level(wanted: str | None) -> str:
    return "debug" if wanted == "debug" else "warning"


def show_table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under their titles. A column is aligned to the right if its first value is a number."""
    rows = list(rows)
    texts = [list(titles), *([printable(str(value)) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    numbers = [isinstance(value, int | float) for value in rows[0]] if rows else [False] * len(titles)
    for line in texts:
        cells = zip(line, widths, numbers, strict=True)
        aligned = [text.rjust(width) if number else text.ljust(width) for text, width, number in cells]
        typer.echo("  ".join(aligned).rstrip())


def show_json(rows: Iterable[Any]) -> None:
    """Print rows, which are dataclasses, as one JSON object a line."""
    for row in rows:
        typer.echo(TypeAdapter(type(row)).dump_json(row))


def printable(text: str) -> str:
    """The text with spaces in place of control characters, which move the cursor: anybody may have written it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
