"""The status of an order in the rows of read models."""

from app.domain.order_events import CookingStarted, OrderCancelled, OrderCompleted, OrderEvent
from app.persistence.projections import Row


def with_status(row: Row, event: OrderEvent) -> Row:
    """The row of an order with its status after an event."""
    match event:
        case CookingStarted():
            return {**row, "status": "cooking"}
        case OrderCompleted():
            return {**row, "status": "completed"}
        case OrderCancelled():
            return {**row, "status": "cancelled"}
        case _:
            return row
