from app.composition.container import RunningService
from app.handlers.order.process_payment_handler import ProcessPaymentCommand
from app.handlers.order.update_order_address_handler import UpdateOrderAddressCommand
from app.persistence.mappings.order_read_tables import order_details
from tests.orders import TOTAL, completed, placed, stored_order
from tests.rows import rows_of
from tests.users import People, Person


async def test_what_is_read_of_an_order_follows_it(service: RunningService, people: People, cook: Person) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    (await ada.command(UpdateOrderAddressCommand(order_id, "2 Low Street"))).unwrap()
    (await ada.command(ProcessPaymentCommand(order_id, TOTAL))).unwrap()

    (row,) = await rows_of(service, order_details)

    stored = await stored_order(service, order_id)
    assert (row.version, row.customer_user_id, row.customer_address) == (stored.version, ada.id, "2 Low Street")
    assert (row.status, row.payment_status, row.total_amount) == ("pending", "paid", stored.total)
    assert [(pizza["pizza_id"], pizza["price"], pizza["is_ready"]) for pizza in row.pizzas] == [
        ("margherita", "12.99", False),
        ("pepperoni", "22.29", False),
    ]
    ready = await completed(ada, cook)
    (row,) = [row for row in await rows_of(service, order_details) if row.order_id == ready]
    assert (row.status, [pizza["is_ready"] for pizza in row.pizzas]) == ("completed", [True, True])
