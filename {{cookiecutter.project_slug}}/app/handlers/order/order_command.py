"""The base of commands about one order."""

from abc import ABC
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from typing_extensions import TypeVar

from app.core.cqrs import ICommand
from app.domain.order import Order

R_co = TypeVar("R_co", covariant=True, default=Any)


@dataclass(frozen=True)
class OrderCommand(ICommand[R_co], ABC, Generic[R_co]):
    """A command about one order."""

    order_id: UUID

    def get_aggregate_id(self) -> str:
        """The order's id."""
        return str(self.order_id)


@dataclass(frozen=True)
class OrderProgress:
    """The progress of an order after a command."""

    order_id: UUID
    status: str
    estimated_ready_time: datetime


def progress_of(order: Order) -> OrderProgress:
    """The progress of an order."""
    return OrderProgress(order.id, order.status, order.estimated_ready_at)
