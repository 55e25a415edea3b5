"""Order pizzas."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from app.core.cqrs import (
    BadRequestError,
    BaseCommandHandler,
    Clock,
    ICommand,
    OperationResult,
    command_handler,
    idempotent,
    invalidates,
    retry_on_failure,
    transactional,
)
from app.domain.customer import Customer
from app.domain.kitchen import Kitchen
from app.domain.menu import PizzaWish
from app.domain.order import Order
from app.domain.order_events import OrderedPizza
from app.domain.order_line import PaymentMethod
from app.domain.order_wish import wish_problems
from app.persistence.access import SYSTEM
from app.persistence.repositories.menu_repository import MenuRepository
from app.persistence.repositories.order_repository import OrderRepository


@dataclass(frozen=True)
class PlacedOrder:
    """The result of placing an order."""

    order_id: UUID
    total_amount: Decimal
    estimated_ready_time: datetime


@dataclass(frozen=True)
class PlaceOrderCommand(ICommand[PlacedOrder]):
    """Order pizzas; the result is the order's id, its total, and when it will be ready."""

    customer_name: str
    customer_phone: str
    customer_address: str
    pizza_items: tuple[PizzaWish, ...]
    payment_method: PaymentMethod = "cash"
    card_token: str | None = field(default=None, repr=False)

    def validate(self) -> dict[str, str]:
        """The rules for the customer, the pizzas and the payment."""
        return {**self.customer.problems(), **wish_problems(self.pizza_items, self.payment_method, self.card_token)}

    @property
    def customer(self) -> Customer:
        """The customer, with the caller's account if there is one."""
        user_id = self.customer_user_id
        return Customer(self.customer_name, self.customer_phone, self.customer_address, user_id)

    @property
    def customer_user_id(self) -> UUID | None:
        """The account of the caller; None for an anonymous caller and for the service itself."""
        return None if self.metadata.user_id in (None, SYSTEM) else UUID(self.metadata.user_id)


@command_handler(PlaceOrderCommand)
@transactional()
@idempotent()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
@invalidates("user:{customer_user_id}")
class PlaceOrderHandler(BaseCommandHandler[PlaceOrderCommand, PlacedOrder]):
    """Order pizzas. An account is not needed.

    A pizza that is not on the menu, not available, or not made that way is refused: 400. Orders are also refused while
    the kitchen is closed, 422, or at its capacity: 503, which says when to try again.
    """

    orders: OrderRepository
    menu: MenuRepository
    kitchen: Kitchen
    clock: Clock

    async def _handle(self, command: PlaceOrderCommand) -> OperationResult[PlacedOrder]:
        await self._require_room()
        order = Order.place(
            id=uuid4(),  # random, because everybody who has it may read the order
            customer=command.customer,
            pizzas=await self._ordered(command.pizza_items),
            placed_at=self.clock.now(),
            payment_method=command.payment_method,
            card_token=command.card_token,
        )
        await self.orders.add(order)
        return self.created(PlacedOrder(order.id, order.total, order.estimated_ready_at))

    async def _require_room(self) -> None:
        if self.kitchen.capacity is None:
            return
        await self.orders.lock_kitchen()  # so that two orders at once do not both take the last place
        self.kitchen.require_room(*await self.orders.in_the_kitchen(), self.clock.now())

    async def _ordered(self, wishes: tuple[PizzaWish, ...]) -> list[OrderedPizza]:
        menu = await self.menu.by_id(wish.pizza_id for wish in wishes)
        unknown = sorted({wish.pizza_id for wish in wishes} - menu.keys())
        if unknown:
            raise BadRequestError(f"Not on the menu: {', '.join(unknown)}.", details={"pizza_id": "is not on the menu"})
        prices = await self.menu.topping_prices()
        return [menu[wish.pizza_id].ordered(wish, prices) for wish in wishes]
