"""Endpoints of the menu. The docstring of the command or query handler describes each of them in the API."""

from dataclasses import fields
from inspect import getdoc
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from app.api.errors import answer
from app.api.models import Amount, Body, Text
from app.api.shapes import amount, body_config, line, nothing, shaped, text
from app.dependencies import Bus
from app.domain.menu import (
    CATEGORIES,
    LONGEST_DESCRIPTION,
    LONGEST_ID,
    LONGEST_NAME,
    MOST_MINUTES,
    SIZES,
    Category,
    Changes,
)
from app.handlers.order.get_menu_handler import GetMenuHandler, GetMenuQuery
from app.handlers.order.update_menu_handler import MenuUpdate, UpdateMenuCommand, UpdateMenuHandler
from app.read_models.menu_views import MenuItemView

router = APIRouter(prefix="/api/menu", tags=["menu"])


Size = Annotated[str, shaped(enum=[*SIZES])]


class MenuChanges(Body):
    """The fields to change, at least one; fields that are left out stay as they are."""

    model_config = body_config(
        {"base_price": "13.50", "is_available": True}, impossible=nothing(*(field.name for field in fields(Changes)))
    )

    name: Annotated[Text, line(LONGEST_NAME)] | None = None
    description: Annotated[Text, text(LONGEST_DESCRIPTION)] | None = None
    category: Annotated[str, shaped(enum=[*CATEGORIES])] | None = None
    base_price: Annotated[Amount, amount(zeros=4)] | None = None
    preparation_minutes: Annotated[int, shaped(minimum=1, maximum=MOST_MINUTES)] | None = None
    sizes: Annotated[tuple[Size, ...], shaped(minItems=1, uniqueItems=True)] | None = None
    toppings: Annotated[tuple[Text, ...], shaped(uniqueItems=True)] | None = None
    is_seasonal: bool | None = None
    is_available: bool | None = None


@router.get("", response_model=list[MenuItemView], description=getdoc(GetMenuHandler))
async def get_menu(
    bus: Bus, category: Category | None = None, include_seasonal: bool = True, include_unavailable: bool = False
) -> Response:
    return answer(await bus.execute_query(GetMenuQuery(category, include_seasonal, include_unavailable)))


@router.put("/{pizza_id}", response_model=MenuUpdate, description=getdoc(UpdateMenuHandler))
async def update_menu(pizza_id: Annotated[Text, line(LONGEST_ID)], body: MenuChanges, bus: Bus) -> Response:
    return answer(await bus.execute_command(UpdateMenuCommand(pizza_id, Changes(**body.model_dump()))))
