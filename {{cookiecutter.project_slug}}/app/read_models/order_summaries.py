"""Summaries of orders for lists: one row for each order."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, literal, select, tuple_

from app.domain.customer import LONGEST_PHONE, phone_digits, phone_problem
from app.domain.order_events import CookingStarted, OrderEvent, OrderPlaced
from app.domain.order_line import STATUSES
from app.domain.text import only_problems, text_problem
from app.persistence.mappings.order_read_tables import order_summaries
from app.persistence.projections import Projection, Row
from app.read_models.order_status import with_status
from app.read_models.user_views import View


class OrderSummaryView(View):
    """An order as lists show it."""

    order_id: UUID
    customer_name: str
    customer_phone: str
    status: str
    pizza_count: int
    total_amount: Decimal
    order_time: datetime
    estimated_ready_time: datetime


def fold_summary(row: Row, event: OrderEvent) -> Row:
    """Fold an event into the row of an order, which is empty before `OrderPlaced`, and return the new row.

    An event that changes no column here returns the row as it is. After a change of this fold, rebuild the read model.
    """
    match event:
        case OrderPlaced():
            return {
                "customer_user_id": event.customer_user_id,
                "customer_name": event.customer_name,
                "customer_phone": event.customer_phone,
                "phone_digits": phone_digits(event.customer_phone),
                "status": "pending",
                "pizza_count": len(event.pizzas),
                "total_amount": event.total,
                "order_time": event.placed_at,
                "estimated_ready_time": event.estimated_ready_time,
            }
        case CookingStarted():
            row = {**row, "estimated_ready_time": event.estimated_ready_time}
    return with_status(row, event)


PROJECTION = Projection("order_summaries", "Order", OrderEvent, order_summaries, fold_summary, in_transaction=True)
"""Projected in the command's transaction, because users look for an order in the list right after a change.

`app.persistence.projections` discovers it in this module; nothing imports it.
"""

SELECT_SUMMARIES = select(*(order_summaries.c[name] for name in OrderSummaryView.model_fields))
NEWEST_FIRST = (order_summaries.c.order_time.desc(), order_summaries.c.order_id.desc())


def filter_problems(customer_phone: str | None, status: str | None) -> dict[str, str]:
    """The invalid filters: field -> what is wrong with its value; empty if all are valid.

    Spaces around the number are allowed: in a query string, a plain + becomes a space.
    """
    return only_problems(
        {
            "customer_phone": None if customer_phone is None else _phone_problem(customer_phone),
            "status": None if status is None or status in STATUSES else f"must be one of {', '.join(STATUSES)}",
        }
    )


def _phone_problem(phone: str) -> str | None:
    return text_problem(phone, LONGEST_PHONE) or phone_problem(phone.strip(" "))


def filtered(
    wanted: Select[*tuple[Any, ...]], customer_phone: str | None, status: str | None
) -> Select[*tuple[Any, ...]]:
    """Restrict a query on `order_summaries` to a phone number, compared by its digits alone, and to a status."""
    if customer_phone is not None:
        wanted = wanted.where(order_summaries.c.phone_digits == phone_digits(customer_phone))
    if status is not None:
        wanted = wanted.where(order_summaries.c.status == status)
    return wanted


def position_of(order: OrderSummaryView) -> tuple[str, str]:
    """The values of the `NEWEST_FIRST` columns of an order, as a cursor stores them."""
    return order.order_time.isoformat(), str(order.order_id)


def older_than(position: Sequence[str]) -> ColumnElement[bool]:
    """A condition for the orders that follow a position in `NEWEST_FIRST`: these are older."""
    time, order_id = order_summaries.c.order_time, order_summaries.c.order_id
    at = literal(datetime.fromisoformat(position[0]), time.type), literal(UUID(position[1]), order_id.type)
    return tuple_(time, order_id) < tuple_(*at)
