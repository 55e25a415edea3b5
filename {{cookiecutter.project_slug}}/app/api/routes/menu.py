"""Endpoints of the menu. The docstring of the command or query handler describes each of them in the API."""

from inspect import getdoc
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.errors import answer
from app.api.models import Amount, Body, Text
from app.dependencies import Bus
from app.domain.menu import Changes
from app.handlers.order.get_menu_handler import GetMenuHandler, GetMenuQuery
from app.handlers.order.update_menu_handler import MenuUpdate, UpdateMenuCommand, UpdateMenuHandler
from app.read_models.menu_views import MenuItemView

router = APIRouter(prefix="/api/menu", tags=["menu"])


class MenuChanges(Body):
    """The fields to change; fields that are left out stay as they are."""

    name: Text | None = None
    description: Text | None = None
    category: Text | None = None
    base_price: Amount | None = None
    preparation_minutes: int | None = None
    sizes: tuple[Text, ...] | None = None
    toppings: tuple[Text, ...] | None = None
    is_seasonal: bool | None = None
    is_available: bool | None = None


@router.get("", response_model=list[MenuItemView], description=getdoc(GetMenuHandler))
async def get_menu(
    bus: Bus,
    category: Annotated[Text | None, Query()] = None,
    include_seasonal: bool = True,
    include_unavailable: bool = False,
) -> Response:
    return answer(await bus.execute_query(GetMenuQuery(category, include_seasonal, include_unavailable)))


@router.put("/{pizza_id}", response_model=MenuUpdate, description=getdoc(UpdateMenuHandler))
async def update_menu(pizza_id: Text, body: MenuChanges, bus: Bus) -> Response:
    return answer(await bus.execute_command(UpdateMenuCommand(pizza_id, Changes(**body.model_dump()))))
