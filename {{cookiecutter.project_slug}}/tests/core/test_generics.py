from typing import Any, Generic, TypeVar

import pytest

from app.core.cqrs import BaseCommandHandler, ICommand
from app.core.generics import type_argument, type_arguments

A = TypeVar("A")
B = TypeVar("B")


class Base(Generic[A, B]):
    pass


class Both(Base[int, str]):
    pass


class Child(Both):
    pass


class OneOpen(Base[A, str]):
    pass


class Closed(OneOpen[bytes]):
    pass


class Nested(Base[list[A], str]):
    pass


class NestedClosed(Nested[int]):
    pass


class Mixin:
    pass


class GenericMixin(Generic[A]):
    pass


class Mixed(Mixin, Both):
    pass


class MixedGeneric(GenericMixin[float], Both):
    pass


class Bare(Base):  # type: ignore[type-arg]  # that is the point
    pass


class Quoted(Base["Later", str]):
    pass


class Later:
    pass


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (Both, (int, str)),
        (Child, (int, str)),
        (OneOpen, (Any, str)),
        (Closed, (bytes, str)),
        (NestedClosed, (list[int], str)),
        (Mixed, (int, str)),
        (MixedGeneric, (int, str)),
        (Bare, ()),
        (Quoted, (Later, str)),
        (Base, ()),
        (Mixin, ()),
    ],
)
def test_what_a_class_says_in_brackets(cls: type, arguments: tuple[Any, ...]) -> None:
    found = type_arguments(cls, Base)
    assert tuple(Any if isinstance(one, TypeVar) else one for one in found) == arguments


def test_the_first_argument_or_any() -> None:
    assert type_argument(Both, Base) is int
    assert type_argument(Bare, Base) is Any


def test_an_answer_declared_through_a_base_of_the_team() -> None:
    class TeamCommand(ICommand[A]):
        pass

    class Create(TeamCommand[int]):
        pass

    class TeamHandler(BaseCommandHandler[Create, A]):
        pass

    class CreateHandler(TeamHandler[int]):
        async def _handle(self, command: Create) -> int:
            return 1

    assert Create.answer_type() is int
    assert CreateHandler.handled_types() == (Create, int)
