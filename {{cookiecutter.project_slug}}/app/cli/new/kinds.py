"""What each kind of use case is made of: its blocks, and the words to put into them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.cli.new import names
from app.cli.new.events import sample_of
from app.cli.new.guide import ROOT, Block, blocks_of, is_addition
from app.cli.new.renaming import Forms, forms, nouns, orders
from app.cli.new.words import participle, pascal, plural, snake, spaced
from app.cli.terminal import CommandError
from app.core.cqrs import AggregateRoot


@dataclass(frozen=True)
class UseCase:
    """What is to be written.

    Attributes:
        blocks: each with whether it is added to a file that is there.
        words: what to put in place of the guide's words.
        granted: a permission, in the guide's words, that the migration grants.
        texts: code of the blocks, in the guide's words -> the code that stands in its place.
    """

    blocks: list[tuple[Block, bool]]
    words: Forms
    granted: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


def aggregate(noun: str, many: str | None, command: str | None, event: str | None) -> UseCase:
    """A state with its table, the command that begins it, and the query that reads it."""
    names.require_aggregate(noun, many or plural(noun), many is not None)
    command = command or f"open_{noun}"
    names.require_order(command)
    for name in (command, f"get_{noun}"):
        names.require_new_handler(name)
    words = {
        **nouns(noun, many or plural(noun)),
        **_command_words(("open", "opened"), command, noun, event),
        **forms("get_ticket", f"get_{noun}"),
    }
    order = without(command, noun)
    words.update({**forms("ticket_to_open", f"{noun}_to_{order}"), "open": (order, spaced(order))})
    return UseCase(_blocks("aggregate") + _blocks("query"), words)


def command(noun: str, name: str, event: str | None) -> UseCase:
    """A command that calls a new method of an aggregate, which raises a new event."""
    names.require_order(name)
    names.require_new_handler(name)
    words = {**_nouns_of(noun), **_command_words(("close", "closed"), name, noun, event)}
    return UseCase(_blocks("command"), words, granted="ticket:close:own")


def query(noun: str, name: str) -> UseCase:
    """A query that reads one row of an aggregate."""
    names.require_question(name)
    names.require_new_handler(name)
    address = without(name, noun).removeprefix("get").strip("_").replace("_", "-")
    texts = {'/{ticket_id}"': f'/{{{noun}_id}}/{address}"'} if address else {}
    return UseCase(_blocks("query"), {**_nouns_of(noun), **forms("get_ticket", name)}, texts=texts)


def event_handler(feature: str, name: str, event: str) -> UseCase:
    """A reaction after the commit, which tells a user of an event."""
    names.require_name(feature, "The feature")
    names.require_name(name, "The event handler")
    names.require_new_handler(name)
    sample = sample_of(event)
    words = {
        **forms("ticket", feature),
        **forms("notify_ticket_closed", name),
        **forms("ticket_closed", snake(event)),
        "domain.ticket_events": (sample.module.removeprefix("app."), ""),
        "Ticket closed": ("", spaced(snake(event)).capitalize()),
    }
    test = next(block for block in blocks_of("event_handler") if block.path.startswith("tests/"))
    call = re.search(r"event = TicketClosed\(.*\)\n", test.code)
    texts = {call[0]: f"event = {event}({sample.arguments})\n"} if call else {}
    return UseCase(_blocks("event_handler", sample.imports), words, texts=texts)


def projection(noun: str, name: str) -> UseCase:
    """A read model that counts by days."""
    names.require_name(name, "The projection")
    words = _nouns_of(noun)
    events = _text(f"app/domain/{noun}_events.py")
    first = re.search(rf"^class (\w+)\({pascal(noun)}Event\)", events, re.MULTILINE)
    if first is None:
        raise CommandError(f"app/domain/{noun}_events.py has no event that begins with a {pascal(noun)}Event.")
    event = snake(first[1])
    done = without(event, noun)
    words.update({**forms("ticket_opened", event), "opened": (done, spaced(done))})
    return UseCase(_blocks("projection"), {**words, **forms("tickets_per_day", name)})


def without(name: str, noun: str) -> str:
    """A name without that of its aggregate."""
    return f"_{name}_".replace(f"_{noun}_", "_", 1).strip("_")


def _blocks(kind: str, imports: str = "") -> list[tuple[Block, bool]]:
    """The blocks of a kind; those with tests import more."""
    found = [
        (replace(one, code=imports + one.code) if one.path.startswith("tests/") else one) for one in blocks_of(kind)
    ]
    return [(block, is_addition(block, kind)) for block in found]


def _nouns_of(noun: str) -> dict[str, tuple[str, str]]:
    """The words of an aggregate that exists."""
    names.require_name(noun, "The aggregate")
    found = re.search(r"^(\w+) = Table\(", _text(f"app/persistence/mappings/{noun}_mapping.py"), re.MULTILINE)
    return nouns(noun, found[1] if found else plural(noun))


def _command_words(old: tuple[str, str], name: str, noun: str, event: str | None) -> dict[str, tuple[str, str]]:
    order, was = old
    method = without(name, noun)
    verb, _, rest = (method or name).partition("_")
    event = event or pascal(f"{noun}_{participle(verb)}_{rest}".strip("_"))
    names.require_event(event)
    done = without(snake(event), noun)
    if not method or hasattr(AggregateRoot, method) or not names.is_free(method):
        method = name
    return {
        **forms(f"{order}_ticket", name),
        **forms(f"{was}_ticket", f"{done}_{noun}"),
        **forms(f"ticket_{was}", snake(event)),
        order: (method, spaced(without(name, noun))),
        was: (done, spaced(done)),
        **orders(order, name, noun),
    }


def _text(path: str) -> str:
    file = ROOT / path
    if not file.exists():
        raise CommandError(f"There is no {path}: `app new aggregate` writes it, and the rest is built on it.")
    return file.read_text(encoding="utf-8")
