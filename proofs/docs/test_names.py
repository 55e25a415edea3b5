"""What the pages put into backticks exists: names, arguments, settings, commands and targets."""

import ast
import builtins
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from app import cli
from app.core import cqrs
from app.core.config import all_settings
from support.places import SERVICE

ROOT = SERVICE.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", SERVICE / "README.md", *sorted((SERVICE / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)(?: app new \w+)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXCEPTIONS = {
    "DATABSE_URL": "a misspelt setting",
    "Percent": "an example",
    "Absolute": "an example",
    "TicketManagerCommand": "a bad example",
    "ticket_reopened": "an example",
    "SubscriptionCancelled": "what `app new` makes of it",
    "order_desk": "an example",
    "P14D": "a value",
    "localhost": "a value",
    "autocommit_block": "of Alembic",
    "postgresql_concurrently": "of Alembic",
    "default_pool_size": "of PgBouncer",
    "pool_mode": "of PgBouncer",
    "query_wait_timeout": "of PgBouncer",
    "idle_transaction_timeout": "of PgBouncer",
    "_bucket": "of Prometheus",
    "execute": "of Alembic",
    "priority": "an example",
    "normal": "an example",
    "iter_json": "of Starlette",
    "receive_json": "of Starlette",
    "Host": "a header",
    "Upgrade": "a header",
    "Dockerfile": "a file",
    "yaml": "the ending of a file",
    "POSTGRES_PASSWORD": "of compose.yaml",
    "PORT": "of compose.yaml",
    "pg_dump": "of PostgreSQL",
}
"""Names that the code does not have -> why."""
OTHERS = re.compile(r"/|\w-\w|\.(py|md|toml|txt|json)$|^LICENSE$")


def spans_of(page: Path) -> Iterator[str]:
    """The inline code of a page."""
    for span in re.findall(r"`([^`]+)`", FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield span.replace("\\|", "|").removeprefix(".venv/bin/")


def code_of(page: Path) -> Iterator[str]:
    """The Python of a page; what is added to the end of a function is not at the margin."""
    for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            yield f"if True:\n{text}" if re.search(r"^    ", text.partition("\n")[2]) else text


@cache
def known() -> frozenset[str]:
    """The identifiers of the service, its tests and the guide, and texts that look like one."""
    files = [file for folder in ("app", "tests") for file in (SERVICE / folder).rglob("*.py")]
    code = [*(file.read_text(encoding="utf-8") for file in files), *(text for page in PAGES for text in code_of(page))]
    found = {name for text in code for node in ast.walk(ast.parse(text)) for name in identifiers_of(node)}
    questions = re.findall(r'"(\w+)"', (ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    return frozenset({*found, *dir(builtins), *questions, *(file.stem for file in files), *EXCEPTIONS})


def identifiers_of(node: ast.AST) -> Iterator[str]:
    """The identifiers that a node of syntax holds by itself."""
    match node:
        case ast.Constant(str(value)) if value.isidentifier():
            yield value
        case ast.alias(module):
            yield from module.split(".")
    for field in ("id", "attr", "arg", "name"):
        name = getattr(node, field, None)
        if isinstance(name, str):
            yield name


def parsed(span: str) -> ast.AST | None:
    """The span as Python; None if it is something else, such as a path or a header."""
    if OTHERS.search(span):
        return None
    try:
        return ast.parse(re.sub(r"^(@|await |async with )|:$", "", span))
    except SyntaxError:
        return None


def is_known(name: str) -> bool:
    return name in known() or (name.isupper() and (name.lower() in all_settings().model_fields or name in VARIABLES))


MAKEFILES = {folder: (folder / "Makefile").read_text(encoding="utf-8") for folder in (ROOT, SERVICE)}
VARIABLES = {name for text in MAKEFILES.values() for name in re.findall(r"\b[A-Z]+\b", text)}
NODES = [
    (page.name, span, node)
    for page in PAGES
    for span in spans_of(page)
    if (tree := parsed(span)) is not None
    for node in ast.walk(tree)
]


def test_every_name_exists() -> None:
    missing = [(page, span, name) for page, span, node in NODES for name in identifiers_of(node) if not is_known(name)]
    assert missing == []


def test_every_exception_is_needed() -> None:
    named = {name for _, _, node in NODES for name in identifiers_of(node)}
    assert {*EXCEPTIONS} - named == set()


def test_every_argument_of_what_the_bus_exports_exists() -> None:
    calls = [(page, span, node) for page, span, node in NODES if isinstance(node, ast.Call)]
    found = [
        (page, span, argument.arg)
        for page, span, call in calls
        if isinstance(call.func, ast.Name) and call.func.id in cqrs.__all__
        for argument in call.keywords
        if argument.arg not in inspect.signature(getattr(cqrs, call.func.id)).parameters
    ]
    assert len(calls) > 50
    assert found == []


def test_every_method_of_the_bus_exists() -> None:
    asked = {
        node.attr
        for _, _, node in NODES
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] in ("bus", "CQRSBus")
    }
    assert asked
    assert {name for name in asked if not hasattr(cqrs.CQRSBus, name)} == set()


def test_every_setting_that_gets_a_value_is_one() -> None:
    given = {found[1] for page in PAGES for span in spans_of(page) if (found := re.match(r"([A-Z_]+)=", span))}
    assert {name for name in given if name.lower() not in all_settings().model_fields} <= VARIABLES


def test_every_target_exists() -> None:
    for page in PAGES:
        makefiles = MAKEFILES[SERVICE] if page.is_relative_to(SERVICE) else "".join(MAKEFILES.values())
        named = {span.split()[1] for span in spans_of(page) if span.startswith("make ")}
        assert [name for name in named if not re.search(rf"^{name}:", makefiles, re.MULTILINE)] == [], page


def test_every_command_exists() -> None:
    commands = {span for page in PAGES for span in spans_of(page) if span.startswith("app ")}
    assert [command for command in commands if not _is_command(command.split()[1:])] == []
    assert len(commands) >= 10


def _is_command(words: list[str]) -> bool:
    command: Any = get_command(cli.app)
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        command = command.commands.get(words.pop(0))
    options = {option for parameter in getattr(command, "params", ()) for option in parameter.opts} | {"--help"}
    return command is not None and {word for word in words if word.startswith("--")} <= options
