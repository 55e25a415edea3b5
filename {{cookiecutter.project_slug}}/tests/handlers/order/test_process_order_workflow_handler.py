import structlog

from app.adapters.payment_memory import DECLINED_CARD
from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import CQRSBus, OperationStatus
from app.core.cqrs.testing import failing_commits
from app.domain.menu import LARGEST_PRICE, Changes, PizzaWish
from app.domain.order_wish import MOST_PIZZAS, MOST_TOPPINGS
from app.handlers.order.process_order_workflow_handler import CancelDeclinedOrderHandler, ChargePlacedOrderHandler
from app.handlers.order.process_payment_handler import ProcessPaymentCommand
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from tests.orders import TOTAL, cooking, done, happened, payments_of, placed, stored_order
from tests.rows import deliver_again, events_of
from tests.users import People, Person


async def test_what_is_placed_with_a_card_is_charged_once_however_often_the_event_comes(
    service: RunningService, bus: CQRSBus
) -> None:
    order_id = await placed(bus, payment_method="card", card_token="tok_visa")
    await placed(bus)  # to be paid in cash
    for _ in range(2):
        await deliver_again(service)
    order = await stored_order(service, order_id)
    assert (order.status, order.payment_status) == ("pending", "paid")
    ((payment_id, charge),) = (await payments_of(service)).charged.values()
    assert (order.payment_id, order.total, "tok_visa") == (payment_id, charge.amount, charge.card_token)
    assert await happened(service, order_id) == ["OrderPlaced", "PaymentProcessed"]
    assert await done(service, ChargePlacedOrderHandler, CancelDeclinedOrderHandler)


async def test_what_is_declined_is_cancelled_once_however_often_the_event_comes(
    service: RunningService, bus: CQRSBus
) -> None:
    order_id = await placed(bus, payment_method="card", card_token=DECLINED_CARD)
    for _ in range(2):
        await deliver_again(service)
    order = await stored_order(service, order_id)
    assert (order.status, order.payment_status) == ("cancelled", "declined")
    assert (await payments_of(service)).charged == {}
    callers = [(row.event_type, row.metadata["user_id"]) for row in await events_of(service, "Order")]
    assert callers == [("OrderPlaced", None), ("PaymentDeclined", "system"), ("OrderCancelled", "system")]
    assert await done(service, ChargePlacedOrderHandler, CancelDeclinedOrderHandler)


async def test_a_card_declined_over_the_counter_cancels_what_is_not_cooking_already(
    service: RunningService, bus: CQRSBus, cook: Person
) -> None:
    orders = [await placed(bus), await cooking(bus, cook)]
    with structlog.testing.capture_logs() as logs:
        for order_id in orders:
            assert (await cook.command(ProcessPaymentCommand(order_id, TOTAL, DECLINED_CARD))).is_failure
        await bus.settled()
    assert [(await stored_order(service, order_id)).status for order_id in orders] == ["cancelled", "cooking"]
    assert [line["event"] for line in logs].count("declined_order_not_cancelled") == 1


async def test_the_dearest_order_can_be_paid(service: RunningService, bus: CQRSBus, people: People) -> None:
    root = await people.administrator()
    dearer, dear = (UpdateMenuCommand("margherita", Changes(base_price=LARGEST_PRICE + more)) for more in (1, 0))
    assert (await root.command(dearer)).status is OperationStatus.VALIDATION_ERROR
    (await root.command(dear)).unwrap()
    pizzas = (PizzaWish("margherita", "large", ("pepperoni",) * MOST_TOPPINGS),) * MOST_PIZZAS
    order_id = await placed(bus, pizza_items=pizzas, payment_method="card")
    await bus.settled()
    assert (await stored_order(service, order_id)).payment_status == "paid"
    assert await done(service, ChargePlacedOrderHandler, CancelDeclinedOrderHandler)


async def test_who_paid_with_another_card_in_the_meantime_gets_the_pizza(settings: Settings) -> None:
    async with running_service(settings.model_copy(update={"relay_in_service": False})) as late:
        ada = await People(late.bus).member()
        order_id = await placed(ada)
        assert (await ada.command(ProcessPaymentCommand(order_id, TOTAL, DECLINED_CARD))).is_failure
        (await ada.command(ProcessPaymentCommand(order_id, TOTAL, "tok_visa"))).unwrap()
    async with running_service(settings) as service:
        await service.bus.settled()
        order = await stored_order(service, order_id)
        assert (order.status, order.payment_status) == ("pending", "paid")
        assert await happened(service, order_id) == ["OrderPlaced", "PaymentDeclined", "PaymentProcessed"]


async def test_a_provider_that_is_away_for_a_moment_is_asked_again(service: RunningService, bus: CQRSBus) -> None:
    payments = await payments_of(service)
    payments.failures += [ConnectionError(), TimeoutError()]
    order_id = await placed(bus, payment_method="card")
    await bus.settled()
    assert (await stored_order(service, order_id)).payment_status == "paid"
    assert len(payments.charged) == 1


async def test_a_commit_that_collides_is_tried_again(service: RunningService, bus: CQRSBus) -> None:
    order_id = await placed(bus, payment_method="card")
    with failing_commits(bus, times=1):
        await bus.settled()
    assert await happened(service, order_id) == ["OrderPlaced", "PaymentProcessed"]
    assert len((await payments_of(service)).charged) == 1
