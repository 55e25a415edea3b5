"""Customers who order while something else happens, and staff who keep up with them, more or less."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from app.core.cqrs import CQRSBus
from app.domain.menu import PizzaWish
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.place_order_handler import PlaceOrderCommand
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.persistence.access import SYSTEM

CUSTOMERS = 3
PAUSE_SECONDS = 0.05
DINNER = (PizzaWish("margherita", "large"), PizzaWish("zucca", "small", ("olives",)))


class Customers:
    """Who orders through the bus.

    Args:
        bus: of a service that delivers events itself.
        dice: says what becomes of an order.
    """

    def __init__(self, bus: CQRSBus, dice: random.Random) -> None:
        self._bus = bus
        self._dice = dice
        self._stopped = False
        self.placed: set[UUID] = set()

    @asynccontextmanager
    async def ordering(self) -> AsyncIterator[None]:
        """Order one after the other, with a short pause; afterwards everybody has reacted to everything."""
        self._stopped = False
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CUSTOMERS):
                tasks.create_task(self._go_on())
            try:
                yield
            finally:
                self._stopped = True
        await self._bus.settled()

    async def _go_on(self) -> None:
        while not self._stopped:
            order = PlaceOrderCommand("Peach", "5550109999", "The Castle", DINNER)
            order_id = (await self._bus.execute_command(order)).unwrap().order_id
            self.placed.add(order_id)
            await asyncio.sleep(PAUSE_SECONDS)
            await self._change(order_id)

    async def _change(self, order_id: UUID) -> None:
        command = self._dice.choice((None, CancelOrderCommand(order_id), StartCookingCommand(order_id, "staff-7", 20)))
        if command is not None:
            command.metadata.user_id = SYSTEM
            (await self._bus.execute_command(command)).unwrap()
