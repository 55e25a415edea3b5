"""What is true of all messages of the service, whichever features it has."""

import re
from collections.abc import Iterator
from typing import Any, get_type_hints

from app.core.cqrs.plan import Kind, declarations_of
from app.core.discovery import discover
from app.core.generics import parts_of


def own_classes(*annotations: object) -> set[type]:
    """The classes of this service that types are made of."""
    return {part for one in annotations for part in parts_of(one) if part.__module__.startswith("app.")}


REPOSITORIES = "app.persistence.repositories"
ASKING = {"Count", "Find", "Get", "List", "Scroll", "Search"}


def declared(kind: Kind) -> Iterator[tuple[Any, Any]]:
    """The messages of a kind, each with a handler of it."""
    for handler in discover("app.handlers").handlers:
        for declaration in declarations_of(handler):
            if declaration.kind is kind:
                yield declaration.message_type, handler


def words_of(name: str) -> list[str]:
    """`CreateUserCommand` is Create, User, Command."""
    return re.findall(r"[A-Z][a-z0-9]*", name)


def test_messages_cannot_be_changed_by_whoever_handles_them() -> None:
    for message, _ in (*declared(Kind.COMMAND), *declared(Kind.QUERY)):
        dataclass: Any = vars(message).get("__dataclass_params__")
        assert dataclass is not None and dataclass.frozen, message
        mutable = {list, dict, set} & {part for hint in get_type_hints(message).values() for part in parts_of(hint)}
        assert mutable == set(), f"{message}: take a tuple"


def test_file_message_and_handler_share_a_name() -> None:
    for kind, ending in ((Kind.COMMAND, "Command"), (Kind.QUERY, "Query")):
        for message, handler in declared(kind):
            name = handler.__name__.removesuffix("Handler")
            assert message.__name__ == f"{name}{ending}"
            assert message.__module__ == handler.__module__
            assert handler.__module__.endswith("." + "_".join(words_of(handler.__name__)).lower())


def test_commands_order_and_queries_ask() -> None:
    what_there_is = {words_of(event.__name__)[0] for event in discover("app.domain").events}
    ordering = {words_of(command.__name__)[0] for command, _ in declared(Kind.COMMAND)}
    asking = {words_of(query.__name__)[0] for query, _ in declared(Kind.QUERY)}
    assert asking <= ASKING
    assert ordering & ASKING == set()
    assert ordering & what_there_is == set(), "say first what is to be done: CreateUser, not UserCreate"
    assert {"User"} <= what_there_is


def test_queries_read_without_the_repositories_that_commands_write_with() -> None:
    def repositories(kind: Kind) -> set[str]:
        hints = [hint for _, handler in declared(kind) for hint in get_type_hints(handler).values()]
        return {hint.__name__ for hint in hints if getattr(hint, "__module__", "").startswith(REPOSITORIES)}

    assert "UserRepository" in repositories(Kind.COMMAND)
    assert repositories(Kind.QUERY) == set()


def test_what_is_written_and_what_is_read_are_never_the_same_class() -> None:
    written, read = set[type](), set[type]()
    for handler in discover("app.handlers").handlers:
        for declaration in declarations_of(handler):
            message: Any = declaration.message_type
            if declaration.kind is Kind.COMMAND:
                written |= own_classes(message, message.answer_type())
            elif declaration.kind is Kind.QUERY:
                read |= own_classes(message.answer_type())
    assert len(written) > 10 and len(read) > 3, "The walk finds what there is."
    assert written & read == set()
