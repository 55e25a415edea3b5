"""The base of commands about one user."""

from abc import ABC
from dataclasses import dataclass
from typing import Any, Generic
from uuid import UUID

from typing_extensions import TypeVar

from app.core.cqrs import ICommand
from app.domain.text import only_problems
from app.domain.user import role_problem

R_co = TypeVar("R_co", covariant=True, default=Any)


@dataclass(frozen=True)
class UserCommand(ICommand[R_co], ABC, Generic[R_co]):
    """A command about one user."""

    user_id: UUID

    def get_aggregate_id(self) -> str:
        """The user's id."""
        return str(self.user_id)


@dataclass(frozen=True)
class UserRoleCommand(UserCommand[None], ABC):
    """A command about one user and one role."""

    role: str

    def validate(self) -> dict[str, str]:
        """The rules for a role's name."""
        return only_problems({"role": role_problem(self.role)})
