"""The guide in `docs/`, followed as a reader would: its blocks become files of a copy of this service."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

from app.core.config import Settings

ROOT = Path(__file__).parents[1]
PAGES = (
    "index",
    "commands",
    "pipeline",
    "queries",
    "lists",
    "events",
    "read_models",
    "testing",
    "growing",
    "observing",
    "rules",
)
"""In the order in which they are read."""

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PLACE = re.compile(r"# ([\w./]+\.py)(?:, at the end of (\w+)\(\))?\n")
COMMAND = ".venv/bin/app "
ENDLESS = {"worker"}
OF_TESTS = re.compile("PYTEST|^COV")
APP = "import sys; from app.cli import app; [app(line.split(), standalone_mode=False) for line in sys.argv[1:]]"


def text_of(page: str) -> str:
    """A page."""
    return (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")


def blocks() -> list[tuple[str, str]]:
    """The fenced blocks of all pages: their language and their text."""
    return [block for page in PAGES for block in BLOCK.findall(text_of(page))]


def places() -> list[str]:
    """The files that the blocks of Python make, each once.

    Raises:
        ValueError: a block does not say where it belongs.
    """
    found = [_place(text)[1] for language, text in blocks() if language == "python"]
    return [*dict.fromkeys(place for place in found if "..." not in place)]


def follow(service: Path) -> None:
    """Do to a copy of this service all that the guide says, from the first page to the last."""
    for name in ("app", "migrations", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, service / name, ignore=ignored, copy_function=_copy)
    shutil.copy(ROOT / "pyproject.toml", service)
    commands: list[str] = []
    for language, text in blocks():
        if language == "sh":
            commands += [line.removeprefix(COMMAND) for line in text.splitlines() if line.startswith(COMMAND)]
        elif language == "python":
            place = _place(text)
            if place[2]:
                _run(service, commands)  # one of them makes the file
                commands = []
                _put_into(service, place[1], place[2], text[place.end() :])
            else:
                _append(service / place[1], text[place.end() :])
    _run(service, commands)


def python(service: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, as in a fresh terminal: what this process measures or caches is not touched."""
    own = {name.upper() for name in Settings.model_fields} | {"PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"}
    known = {name: value for name, value in os.environ.items() if name not in own and not OF_TESTS.search(name)}
    environment = known | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # to load all takes longer than the tests
    return subprocess.run(
        [sys.executable, *arguments], cwd=service, env=environment, capture_output=True, text=True, check=False
    )


def _copy(source: str, target: str) -> None:
    """Copy a file, and what it was compiled to: to compile all of them takes longer than the tests."""
    shutil.copy2(source, target)
    compiled = Path(cache_from_source(source))
    if source.endswith(".py") and compiled.exists():
        cache = Path(target).parent / "__pycache__"
        cache.mkdir(exist_ok=True)
        shutil.copy2(compiled, cache)


def _place(text: str) -> re.Match[str]:
    place = PLACE.match(text)
    if place is None:
        raise ValueError(f"A block of the guide does not say where it belongs:\n{text}")
    return place


def _append(file: Path, code: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(("\n\n" if opened.tell() else "") + code)


def _put_into(service: Path, name: str, function: str, code: str) -> None:
    (file,) = service.glob(name.replace("...", "*"))
    before, declared, after = file.read_text(encoding="utf-8").partition(f"def {function}()")
    body, *rest = after.split("\n\n\n", 1)
    whole = "\n\n\n".join([f"{before}{declared}{body.rstrip()}\n{code.rstrip()}", *rest])
    file.write_text(whole.rstrip() + "\n", encoding="utf-8")


def _run(service: Path, commands: list[str]) -> None:
    lines = [line for line in commands if line.split()[0] not in ENDLESS]
    if not lines:
        return
    done = python(service, "-c", APP, *lines)
    assert done.returncode == 0, f"{lines}: {done.stdout}{done.stderr}"
