from __future__ import annotations

import inspect
from typing import ClassVar, get_type_hints

import pytest

from app.core.cqrs import BaseCommandHandler, BaseQueryHandler
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do


class Users:
    """A dependency."""


class Mailer:
    """Another one."""


class Fields(BaseCommandHandler[Do, str]):
    """Takes its dependencies as keyword arguments."""

    users: Users
    mailer: Mailer
    limit: int = 5
    shared: ClassVar[list[str]] = []

    async def _handle(self, command: Do) -> str:
        return f"{type(self.users).__name__} {type(self.mailer).__name__} {self.limit}"


class More(Fields):
    """Has one more."""

    extra: Users


class ByHand(BaseCommandHandler[Do, str]):
    """Has an `__init__` of its own."""

    def __init__(self, users: Users) -> None:
        self.users = users

    async def _handle(self, command: Do) -> str:
        return type(self.users).__name__


class ByHandToo(ByHand):
    """Inherits the `__init__` that somebody wrote."""

    async def _handle(self, command: Do) -> str:
        return f"again {type(self.users).__name__}"


def test_annotated_attributes_become_keyword_arguments() -> None:
    users, mailer = Users(), Mailer()
    handler = Fields(users=users, mailer=mailer)
    assert (handler.users, handler.mailer, handler.limit) == (users, mailer, 5)
    assert Fields(users=users, mailer=mailer, limit=7).limit == 7
    assert More(users=users, mailer=mailer, extra=users).extra is users


def test_a_forgotten_dependency_is_named() -> None:
    with pytest.raises(TypeError, match="mailer"):
        Fields(users=Users())  # type: ignore[call-arg]  # that is the point


def test_dependencies_are_not_positional_and_class_variables_are_none() -> None:
    parameters = inspect.signature(Fields).parameters
    assert list(parameters) == ["users", "mailer", "limit"]
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_a_container_can_read_the_annotations_of_another_module() -> None:
    assert get_type_hints(Fields.__init__) == {"users": Users, "mailer": Mailer, "limit": int, "return": type(None)}


def test_handlers_are_compared_by_identity_and_keep_their_docstring() -> None:
    users, mailer = Users(), Mailer()
    assert Fields(users=users, mailer=mailer) != Fields(users=users, mailer=mailer)
    assert Fields.__doc__ == "Takes its dependencies as keyword arguments."
    assert "Fields object at" in repr(Fields(users=users, mailer=mailer))


def test_a_handler_without_docstring_gets_none() -> None:
    class Silent(BaseQueryHandler[Ask, str]):
        async def _handle(self, query: Ask) -> str:
            return ""

    assert Silent.__doc__ is None


async def test_the_container_fills_them() -> None:
    bus = MemoryBus(given=[Users(), Mailer()])
    bus.register_command_handler(Do, Fields)
    assert (await bus.execute_command(Do())).unwrap() == "Users Mailer 5"


@pytest.mark.parametrize(("handler", "answer"), [(ByHand, "Users"), (ByHandToo, "again Users")])
async def test_a_hand_written_init_works_and_is_inherited(handler: type[ByHand], answer: str) -> None:
    assert handler(Users()).users is not None
    bus = MemoryBus(given=[Users()])
    bus.register_command_handler(Do, handler)
    assert (await bus.execute_command(Do())).unwrap() == answer
