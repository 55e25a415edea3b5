"""List orders by cursor."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.cqrs import BaseQueryHandler, IQuery, authorize, query_handler
from app.domain.customer import phone_digits
from app.read_models.cursors import LONGEST_CURSOR, read_cursor, write_cursor
from app.read_models.order_summaries import (
    NEWEST_FIRST,
    SELECT_SUMMARIES,
    OrderSummaryView,
    filter_problems,
    filtered,
    older_than,
    position_of,
)
from app.read_models.pages import LARGEST_PAGE_SIZE
from app.read_models.user_views import View


class OrderStretchView(View):
    """A part of a list of orders, read by cursor."""

    items: tuple[OrderSummaryView, ...]
    next_cursor: str | None
    """The cursor of the next part; None at the end."""


@dataclass(frozen=True)
class ScrollOrdersQuery(IQuery[OrderStretchView]):
    """List the orders that match all given filters, the newest first, from a cursor; None: from the first."""

    customer_phone: str | None = None
    status: str | None = None
    cursor: str | None = None
    limit: int = 100

    def validate(self) -> dict[str, str]:
        """The rules for the filters, the limit and the cursor."""
        problems = filter_problems(self.customer_phone, self.status)
        if not 1 <= self.limit <= LARGEST_PAGE_SIZE:
            problems["limit"] = f"must be 1 to {LARGEST_PAGE_SIZE}"
        if self.cursor is not None and not (self.cursor.isascii() and len(self.cursor) <= LONGEST_CURSOR):
            problems["cursor"] = "is not one of this list"
        return problems


@query_handler(ScrollOrdersQuery)
@authorize(permissions=["order:read"])
class ScrollOrdersHandler(BaseQueryHandler[ScrollOrdersQuery, OrderStretchView]):
    """List orders, the newest first, filtered by phone number, however it is written, and by status.

    For long lists: nothing is counted, the last part takes no longer than the first, and no order is repeated or left
    out because others are placed meanwhile. A cursor is valid only with the filters it was issued for.
    """

    session: AsyncSession
    settings: Settings

    async def _handle(self, query: ScrollOrdersQuery) -> OrderStretchView:
        secret = self.settings.key_for("cursors")
        digits = None if query.customer_phone is None else phone_digits(query.customer_phone)
        of = ("orders", digits, query.status, *map(str, NEWEST_FIRST))
        wanted = filtered(SELECT_SUMMARIES, query.customer_phone, query.status)
        if query.cursor is not None:
            wanted = wanted.where(older_than(read_cursor(secret, of, query.cursor)))
        rows = (await self.session.execute(wanted.order_by(*NEWEST_FIRST).limit(query.limit + 1))).mappings().all()
        items = tuple(OrderSummaryView(**row) for row in rows[: query.limit])
        there_is_more = len(rows) > query.limit
        return OrderStretchView(
            items=items, next_cursor=write_cursor(secret, of, position_of(items[-1])) if there_is_more else None
        )
