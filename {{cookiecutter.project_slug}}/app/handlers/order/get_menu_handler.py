"""Read the menu."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, cached_query, query_handler
from app.domain.menu import CATEGORIES
from app.read_models.menu_views import MenuItemView, read_menu


@dataclass(frozen=True)
class GetMenuQuery(IQuery[list[MenuItemView]]):
    """Read the menu, or one category of it."""

    category: str | None = None
    include_seasonal: bool = True
    include_unavailable: bool = False

    def validate(self) -> dict[str, str]:
        """The rule for categories."""
        if self.category is None or self.category in CATEGORIES:
            return {}
        return {"category": f"must be one of {', '.join(CATEGORIES)}"}


@query_handler(GetMenuQuery)
@cached_query(ttl_seconds=30 * 60, tags=["menu"], scope="public")
class GetMenuHandler(BaseQueryHandler[GetMenuQuery, list[MenuItemView]]):
    """Read the menu, by category and name; unavailable items only on request."""

    session: AsyncSession

    async def _handle(self, query: GetMenuQuery) -> list[MenuItemView]:
        return await read_menu(self.session, query.category, query.include_seasonal, query.include_unavailable)
