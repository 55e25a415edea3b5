"""The guide in a service's `docs/`, followed as a reader would: its blocks become files of that service."""

import ast
import re
from pathlib import Path

from tests.support import BakedProject, run

PAGES = (
    "index",
    "commands",
    "pipeline",
    "queries",
    "lists",
    "sockets",
    "events",
    "messages_between_services",
    "ports",
    "read_models",
    "generator",
    "testing",
    "growing",
    "going-live",
    "shared_cache",
    "observing",
    "traces_and_reports",
    "rules",
)
"""In the order in which they are read."""

BLOCK = re.compile(r"^```(\w+)(?: app new \w+)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PLACE = re.compile(r"# ([\w./]+\.py)\n")
IN_CLASS = re.compile(r"^class (\w+)\b.*:\n    \.\.\.\n", re.MULTILINE)
IDS = re.compile(r"""^(?:down_)?revision = ['"](.+)['"]$""", re.MULTILINE)
COMMAND = ".venv/bin/app "
ENDLESS = {"worker"}


def text_of(service: BakedProject, page: str) -> str:
    """A page."""
    return service.text(f"docs/{page}.md")


def blocks(service: BakedProject) -> list[tuple[str, str]]:
    """The fenced blocks of all pages: their language and their text."""
    return [block for page in PAGES for block in BLOCK.findall(text_of(service, page))]


def places(service: BakedProject) -> list[str]:
    """The files that the blocks of Python make, each once.

    Raises:
        ValueError: a block does not say where it belongs.
    """
    found = [_place(text)[1] for language, text in blocks(service) if language == "python"]
    return [*dict.fromkeys(place for place in found if "..." not in place)]


def follow(service: BakedProject) -> None:
    """Do to an installed service all that the guide says, from the first page to the last."""
    commands: list[str] = []
    for language, text in blocks(service):
        if language == "sh":
            commands += [line.removeprefix(COMMAND) for line in text.splitlines() if line.startswith(COMMAND)]
        elif language == "python":
            place = _place(text)
            if "..." in place[1]:
                execute(service, commands)  # one of them makes the file
                commands = []
                _edit(service, place[1], text[place.end() :])
            else:
                _add(service.path / place[1], text[place.end() :])
    execute(service, commands)


def execute(service: BakedProject, commands: list[str]) -> None:
    """Run commands of `app`, those that end by themselves."""
    for command in commands:
        words = command.split()
        if words[0] not in ENDLESS:
            done = run(".venv/bin/app", *words, cwd=service.path)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def put_into(service: BakedProject, name: str, function: str, code: str) -> None:
    """Add code to the end of a function; `*` in the name of the file stands for anything."""
    (file,) = service.path.glob(name)
    before, declared, after = file.read_text(encoding="utf-8").partition(f"def {function}()")
    body, *rest = after.split("\n\n\n", 1)
    whole = "\n\n\n".join([f"{before}{declared}{body.rstrip()}\n{code.rstrip()}", *rest])
    file.write_text(whole.rstrip() + "\n", encoding="utf-8")


def _place(text: str) -> re.Match[str]:
    place = PLACE.match(text)
    if place is None:
        raise ValueError(f"A block of the guide does not say where it belongs:\n{text}")
    return place


def _edit(service: BakedProject, name: str, code: str) -> None:
    """Write a migration that a command has begun; `...` stands for what that has chosen: the name and the ids."""
    (file,) = service.path.glob(name.replace("...", "*"))
    ids = iter(IDS.findall(file.read_text(encoding="utf-8")))
    file.write_text(re.sub(r'(?<= = ")\.\.\.(?=")', lambda _: next(ids), code), encoding="utf-8")


def _add(file: Path, code: str) -> None:
    """Write a file, or add to one: what the code imports to its top, the rest to its end or that of its last class."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(code, encoding="utf-8")
        return
    imports, rest = _split(code)
    there = file.read_text(encoding="utf-8")
    parsed = ast.parse(there).body
    first = min(node.lineno for node in parsed if isinstance(node, ast.Import | ast.ImportFrom)) - 1
    lines = there.splitlines(keepends=True)
    if extended := IN_CLASS.match(rest):
        assert isinstance(parsed[-1], ast.ClassDef)
        assert parsed[-1].name == extended[1]
    else:
        rest = f"\n\n{rest}"
    file.write_text("".join([*lines[:first], imports, *lines[first:], IN_CLASS.sub("", rest)]), encoding="utf-8")


def _split(code: str) -> tuple[str, str]:
    imports = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    end = max((node.end_lineno or 0 for node in imports), default=0)
    lines = code.splitlines(keepends=True)
    return "".join(lines[:end]), "".join(lines[end:]).lstrip("\n")
