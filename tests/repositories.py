"""Git repositories of tests, without the settings of whoever runs them: of the template, and of services."""

import sys
from pathlib import Path

from scripts.bake import SERVICE
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


def baked(source: Path, into: Path, *answers: str) -> Path:
    """A service as `cookiecutter` makes it from a repository, committed."""
    into.mkdir(exist_ok=True)
    words = "cookiecutter <this repository>".replace("<this repository>", str(source)).split()
    say(tool(words[0]), *words[1:], "--no-input", *answers, cwd=into)
    commit(into / "pizzeria", "baked")
    return into / "pizzeria"


def evolve(source: Path, service: Path, *words: str) -> tuple[int, str]:
    """Let the template change a service: the exit code, and what was said."""
    module = (sys.executable, "-m", "scripts.evolve", *words, "--service", str(service))
    done = run(*module, cwd=source, **IDENTITY)
    return done.returncode, done.stdout + done.stderr


def write(service: Path, files: dict[str, str]) -> None:
    """Write and commit files of the team."""
    for name, text in files.items():
        (service / name).parent.mkdir(parents=True, exist_ok=True)
        (service / name).write_text(text)
    commit(service, "ours")


def state(service: Path) -> str:
    """What differs from the last commit."""
    return say("git", "status", "--porcelain", cwd=service)


def later(source: Path, changes: dict[str, tuple[str, str]]) -> None:
    """Change files of the template, and commit."""
    for name, (old, new) in changes.items():
        file = source / SERVICE / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
    commit(source, "later")


def merged(source: Path, service: Path, *words: str) -> tuple[int, str]:
    """Update without the check at its end, which would install."""
    (service / "Makefile").write_text("install check:\n\t@true\n")
    commit(service, "no check")
    return evolve(source, service, "update", *words)
