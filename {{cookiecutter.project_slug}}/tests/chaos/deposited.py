"""The bank's event, apart from those who react to it: a process may know no more, and tell other services of it."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.core.cqrs import DomainEvent


@dataclass(frozen=True, kw_only=True)
class Deposited(DomainEvent):
    """Money was paid in."""

    event_type: ClassVar[str] = "chaos.Deposited"
    public: ClassVar[bool] = True
    account_id: UUID
    entry: str
