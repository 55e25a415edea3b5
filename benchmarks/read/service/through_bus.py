"""The same through the bus: read from the database each time, and from a cache that is warm."""

from dataclasses import dataclass

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.errors import answer
from app.core.cqrs import BaseQueryHandler, IQuery, cached_query, query_handler
from app.dependencies import Bus
from benchmarks.read.service.menu import PizzaView, read_menu

router = APIRouter()


@dataclass(frozen=True)
class GetMenuQuery(IQuery[list[PizzaView]]):
    """Read the menu."""


@dataclass(frozen=True)
class GetCachedMenuQuery(GetMenuQuery):
    """The same, from a cache when it is there."""


@query_handler(GetMenuQuery)
class GetMenuHandler(BaseQueryHandler[GetMenuQuery, list[PizzaView]]):
    """What can be ordered now."""

    session: AsyncSession

    async def _handle(self, query: GetMenuQuery) -> list[PizzaView]:
        return await read_menu(self.session)


@query_handler(GetCachedMenuQuery)
@cached_query(ttl_seconds=1800, scope="public", tags=["menu"])
class GetCachedMenuHandler(BaseQueryHandler[GetCachedMenuQuery, list[PizzaView]]):
    """What could be ordered half an hour ago, or can be now."""

    session: AsyncSession

    async def _handle(self, query: GetCachedMenuQuery) -> list[PizzaView]:
        return await read_menu(self.session)


@router.get("/through-bus", response_model=list[PizzaView])
async def menu_through_bus(bus: Bus) -> Response:
    """Read the menu."""
    return answer(await bus.execute_query(GetMenuQuery()))


@router.get("/cached", response_model=list[PizzaView])
async def cached_menu(bus: Bus) -> Response:
    """Read the menu."""
    return answer(await bus.execute_query(GetCachedMenuQuery()))
