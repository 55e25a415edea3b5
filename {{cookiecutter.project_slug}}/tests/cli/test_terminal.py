"""An error of a command is a sentence at the terminal, and with LOG_LEVEL=debug it says where, too."""

import pytest
import typer
from typer.testing import CliRunner

from app.cli.terminal import ErrorReportingGroup

commands = typer.Typer(cls=ErrorReportingGroup, no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Commands that load no settings."""


@commands.command()
def fail() -> None:
    """Fail."""
    raise LookupError("Nothing is here.\nMore of it.")


@pytest.mark.parametrize("level", ["debug", "info"])
def test_an_unexpected_error_is_one_line_and_a_traceback_only_for_who_debugs(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)
    failed = CliRunner().invoke(commands, ["fail"])
    assert failed.exit_code == 1
    assert failed.stderr.endswith("LookupError: Nothing is here. (LOG_LEVEL=debug shows where)\n")
    assert ("Traceback" in failed.stderr) == (level == "debug")
