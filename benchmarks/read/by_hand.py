"""The floors: the menu and an order, read as a colleague would without the bus.

They are in the same app, so they have the same edge in front (request id, security headers, limits), the same routing
and the same server. They have the same parameters, run the same statements on the same tables, and answer the same
models, which FastAPI checks and writes as it does for any endpoint with a return type.

They have an engine of their own with SQLAlchemy's defaults, and open a session inline rather than by a dependency,
which would cost more. They do none of what comes with the bus: no caller, no permission, no deadline, no metrics, no
log of failures, no translation of the database's errors, no READ ONLY transaction, no check that nothing was written,
and no cache.
"""

from functools import cache
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.core.config import load_settings
from app.read_models.menu_views import MenuItemView, read_menu
from app.read_models.order_views import OrderView, read_order

menu = APIRouter()
orders = APIRouter()


@cache
def sessions() -> async_sessionmaker[AsyncSession]:
    """What opens sessions, on as many connections as the service may have for reading."""
    settings = load_settings()
    return async_sessionmaker(create_async_engine(settings.database_url, pool_size=settings.database_pool_size))


@menu.get("/api/menu/by-hand")
async def menu_by_hand(
    category: Literal["pizza", "appetizers", "drinks"] | None = None,
    include_seasonal: bool = True,
    include_unavailable: bool = False,
) -> list[MenuItemView]:
    """Read the menu, or one category of it."""
    async with sessions()() as session:
        return await read_menu(session, category, include_seasonal, include_unavailable)


@orders.get("/api/orders/by-hand/{order_id}")
async def order_by_hand(order_id: UUID) -> OrderView:
    """Read one order."""
    async with sessions()() as session:
        return await read_order(session, order_id)
