"""Report which pizzas are ordered most."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, query_handler
from app.persistence.engine.sessions import at_one_moment
from app.read_models.pages import LARGEST_PAGE_SIZE
from app.read_models.popular_pizzas import PopularPizzaView, most_popular


@dataclass(frozen=True)
class GetPopularPizzasQuery(IQuery[list[PopularPizzaView]]):
    """Report which pizzas are ordered most; with `include_details`, also by size."""

    limit: int = 10
    include_details: bool = False

    def validate(self) -> dict[str, str]:
        """The rule for the limit."""
        return {} if 1 <= self.limit <= LARGEST_PAGE_SIZE else {"limit": f"must be 1 to {LARGEST_PAGE_SIZE}"}


@query_handler(GetPopularPizzasQuery)
@authorize(permissions=["report:read"])
class GetPopularPizzasHandler(BaseQueryHandler[GetPopularPizzasQuery, list[PopularPizzaView]]):
    """Report which pizzas are ordered most. Counts are updated a moment after orders, and leave out cancelled ones."""

    session: AsyncSession

    async def _handle(self, query: GetPopularPizzasQuery) -> list[PopularPizzaView]:
        await at_one_moment(self.session)  # so that the sizes add up to the pizzas
        return await most_popular(self.session, query.limit, with_sizes=query.include_details)
