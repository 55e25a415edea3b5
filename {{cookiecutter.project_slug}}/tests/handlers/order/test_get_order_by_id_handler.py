from decimal import Decimal
from uuid import uuid4

from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.get_order_by_id_handler import GetOrderByIdQuery
from tests.orders import place_order, placed


async def test_whoever_holds_the_id_reads_everything_but_the_card(bus: CQRSBus) -> None:
    answer = (await bus.execute_command(place_order(payment_method="card", card_token="tok_secret"))).unwrap()
    await placed(bus)
    order = (await bus.execute_query(GetOrderByIdQuery(answer.order_id))).unwrap()
    assert (order.order_id, order.total_amount, order.estimated_ready_time) == (
        answer.order_id,
        answer.total_amount,
        answer.estimated_ready_time,
    )
    assert (order.status, order.payment_method) == ("pending", "card")
    assert (order.customer_name, order.customer_phone) == ("Luigi", "+1 (555) 010-9999")
    assert [(pizza.index, pizza.pizza_id, pizza.price) for pizza in order.pizzas] == [
        (0, "margherita", Decimal("12.99")),
        (1, "pepperoni", Decimal("22.29")),
    ]
    assert (order.pizzas[1].toppings, order.pizzas[1].special_instructions) == (("extra_cheese",), "well done")
    assert "tok_secret" not in order.model_dump_json()
    assert (await bus.execute_query(GetOrderByIdQuery(uuid4()))).status is OperationStatus.NOT_FOUND
