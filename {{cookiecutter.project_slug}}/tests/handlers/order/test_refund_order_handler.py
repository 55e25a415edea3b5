from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.process_payment_handler import ProcessPaymentCommand
from tests.orders import payments_of, placed, stored_order
from tests.rows import deliver_again
from tests.users import Person


async def test_what_was_paid_is_given_back_once(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    payments = await payments_of(service)
    order_id = await placed(bus, payment_method="card")
    await bus.settled()
    payments.failures += [ConnectionError(), TimeoutError()]
    for cancelled in (order_id, await placed(bus)):  # nothing was paid for the second
        (await cook.command(CancelOrderCommand(cancelled))).unwrap()
    await deliver_again(service)
    assert payments.refunded == [payment_id for payment_id, _ in payments.charged.values()]
    assert len(payments.refunded) == 1


async def test_what_was_charged_though_no_answer_came_is_given_back(
    service: RunningService, bus: CQRSBus, cook: Person
) -> None:
    payments = await payments_of(service)
    order_id = await placed(bus)
    order = await stored_order(service, order_id)
    payments.failures += [TimeoutError()] * 3
    unclear = await cook.command(ProcessPaymentCommand(order_id, order.total))
    assert unclear.status is OperationStatus.UNAVAILABLE
    (await cook.command(CancelOrderCommand(order_id))).unwrap()
    await bus.settled()
    assert payments.refunded == [payment_id for payment_id, _ in payments.charged.values()]
    assert len(payments.refunded) == 1
