"""Which names can be used: each refusal says why, and what to choose instead."""

import builtins
import keyword
import re
import sys
from collections.abc import Iterator

from app.cli.new.guide import ROOT
from app.cli.new.words import is_plural, snake
from app.cli.terminal import CommandError

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
CLASS = re.compile(r"([A-Z][a-z0-9]*)+")
ASKING = ("count", "find", "get", "list", "scroll", "search")
"""How the names of queries begin; `tests/handlers/test_messages.py` checks it."""
LONGEST = 32


def require_name(name: str, what: str) -> None:
    """Refuse what is no good name for a module.

    Raises:
        CommandError: why.
    """
    if not NAME.fullmatch(name):
        raise CommandError(f"{what} {name!r} is not in snake case: small letters and digits, such as credit_note.")
    if len(name) > LONGEST:
        raise CommandError(f"{what} {name} has {len(name)} letters: choose one of at most {LONGEST}.")
    if not is_free(name):
        raise CommandError(f"{what} {name} is a word of Python: choose a name that says more.")
    if name in sys.stdlib_module_names:
        raise CommandError(f"{what} {name} is a module of Python's library: choose a name that says more.")
    if name in {"app", "tests", *(path.stem for path in (ROOT / "app").iterdir())}:
        raise CommandError(f"{what} {name} is a package of the service itself: choose a name that says more.")


def is_free(name: str) -> bool:
    """Whether Python has no such word."""
    return not (keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name))


def require_aggregate(name: str, plural: str, plural_is_given: bool) -> None:
    """Refuse what is no good name for an aggregate and its table.

    Raises:
        CommandError: why.
    """
    require_name(name, "The aggregate")
    require_name(plural, "The plural")
    if is_plural(name) and not plural_is_given:
        raise CommandError(
            f"{name} looks like a plural: an aggregate is one thing, and its table gets the plural. "
            f"If it is a singular, give its plural: --plural {name}es."
        )
    if name == plural:
        raise CommandError(
            f"The table needs another name than the aggregate {name}: --plural {name}_list, for instance."
        )
    if plural in _found("persistence", "*.py", r'\bTable\(\s*"(\w+)"'):
        raise CommandError(f"There is a table {plural} already.")
    first = name.partition("_")[0]
    verbs = (snake(one).partition("_")[0] for one in _found("handlers", "*.py", r"^class (\w+)Command\b"))
    if first in (*ASKING, *verbs):
        raise CommandError(f"An aggregate is a noun, but {first} begins the names of commands or queries.")


def require_order(name: str) -> None:
    """Refuse what is no good name for a command.

    Raises:
        CommandError: why.
    """
    require_name(name, "The command")
    first = name.partition("_")[0]
    if first in ASKING:
        raise CommandError(f"{name} asks: commands order something. `app new query` is for queries.")
    if first in {snake(event).partition("_")[0] for event in classes("*_events.py")}:
        raise CommandError(f"{name} begins with a noun: say first what is to be done, as in close_ticket.")


def require_question(name: str) -> None:
    """Refuse what is no good name for a query.

    Raises:
        CommandError: why.
    """
    require_name(name, "The query")
    if name.partition("_")[0] not in ASKING:
        raise CommandError(f"The name of a query begins with one of {', '.join(ASKING)}: {name} does not.")


def require_event(event: str) -> None:
    """Refuse what is no good name for a new event.

    Raises:
        CommandError: why.
    """
    if not CLASS.fullmatch(event) or len(event) > 2 * LONGEST:
        raise CommandError(f"The event {event!r} is not the name of a class: InvoiceVoided, for instance.")
    if event in classes():
        raise CommandError(f"There is a class {event} in app/domain already: --event names another.")


def require_new_handler(name: str) -> None:
    """Refuse a second handler of one name: the service would not start.

    Raises:
        CommandError: where the first is.
    """
    for path in (ROOT / "app" / "handlers").glob(f"*/{name}_handler.py"):
        raise CommandError(f"{path.relative_to(ROOT).as_posix()} exists already: nothing is overwritten.")


def classes(pattern: str = "*.py") -> list[str]:
    """The names of the classes in the modules of the domain."""
    return [*_found("domain", pattern, r"^class (\w+)")]


def _found(package: str, pattern: str, regex: str) -> Iterator[str]:
    for path in sorted((ROOT / "app" / package).rglob(pattern)):
        yield from re.findall(regex, path.read_text(encoding="utf-8"), re.MULTILINE)
