"""Endpoints of the kitchen. The docstring of the command or query handler describes each of them in the API."""

from inspect import getdoc
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from app.api.errors import answer
from app.dependencies import Bus
from app.handlers.order.get_kitchen_queue_handler import GetKitchenQueueHandler, GetKitchenQueueQuery
from app.read_models.kitchen_queue import QueuedOrderView

router = APIRouter(prefix="/api/kitchen", tags=["kitchen"])


@router.get("/queue", response_model=list[QueuedOrderView], description=getdoc(GetKitchenQueueHandler))
async def get_kitchen_queue(bus: Bus, status: Literal["pending", "cooking"] | None = None) -> Response:
    return answer(await bus.execute_query(GetKitchenQueueQuery(status)))
