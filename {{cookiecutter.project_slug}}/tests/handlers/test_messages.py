"""What is true of all messages of the service, whichever features it has."""

from typing import Any

from app.core.cqrs.generics import parts_of
from app.core.cqrs.plan import Kind
from app.core.cqrs.registry import declarations_of
from app.core.discovery import discover


def own_classes(*annotations: object) -> set[type]:
    """The classes of this service that types are made of."""
    return {part for one in annotations for part in parts_of(one) if part.__module__.startswith("app.")}


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
