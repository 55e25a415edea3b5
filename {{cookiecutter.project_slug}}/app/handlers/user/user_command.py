"""What commands about one user have in common."""

from abc import ABC
from dataclasses import dataclass
from typing import Any, Generic
from uuid import UUID

from typing_extensions import TypeVar

from app.core.cqrs import ICommand

R_co = TypeVar("R_co", covariant=True, default=Any)


@dataclass(frozen=True)
class UserCommand(ICommand[R_co], ABC, Generic[R_co]):
    """A command about one user."""

    user_id: UUID

    def get_aggregate_id(self) -> str:
        """The user's id."""
        return str(self.user_id)
