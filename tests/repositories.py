"""Git repositories of tests, without the settings of whoever runs them."""

import sys
from pathlib import Path

from tests.support import run

IDENTITY = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def say(*command: str, cwd: Path, **environment: str) -> str:
    """Run a command that has to work."""
    answer = run(*command, cwd=cwd, **IDENTITY, HOME=str(cwd.parent), **environment)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[-8000:]
    return answer.stdout


def commit(folder: Path, message: str) -> None:
    """Commit everything as it is."""
    say("git", "add", "--all", cwd=folder)
    say("git", "commit", "--quiet", "--allow-empty", "--message", message, cwd=folder)


def tool(name: str) -> str:
    """A program of this environment."""
    return str(Path(sys.executable).with_name(name))
