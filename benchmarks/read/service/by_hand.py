"""The floor: an endpoint written by hand."""

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.read.service.menu import PizzaView, read_menu

router = APIRouter()


@router.get("/by-hand")
async def menu_by_hand(request: Request) -> list[PizzaView]:
    """Read the menu."""
    async with AsyncSession(request.app.state.reading_engine) as session:
        return await read_menu(session)
