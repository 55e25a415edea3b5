import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from app.adapters.payment_memory import DECLINED_CARD
from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.core.cqrs.testing import failing_commits
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.process_payment_handler import ProcessPaymentCommand
from tests.orders import MARGHERITA, happened, payments_of, placed, stored_order
from tests.users import People, Person

TOTAL = Decimal("12.99")


@pytest.fixture
async def ada(people: People) -> Person:
    return await people.member()


async def pay(customer: Person, **fields: Any) -> ProcessPaymentCommand:
    order_id = await placed(customer, pizza_items=(MARGHERITA,))
    return ProcessPaymentCommand(**{"order_id": order_id, "amount": TOTAL, **fields})


def under_one_key(command: ProcessPaymentCommand) -> ProcessPaymentCommand:
    command.metadata.idempotency_key = "the same"
    return command


async def test_the_total_pays_once_and_is_noted_with_the_order(service: RunningService, ada: Person) -> None:
    command = await pay(ada, card_token="tok_visa")
    for amount in ("12.98", "13.00", "0.01"):
        wrong = under_one_key(replace(command, amount=Decimal(amount)))
        assert (await ada.command(wrong)).status is OperationStatus.BAD_REQUEST
    assert (await payments_of(service)).charged == {}
    first, second = [await ada.command(under_one_key(replace(command))) for _ in range(2)]
    receipt = first.unwrap()
    assert (second.unwrap(), first.is_replay, second.is_replay) == (receipt, False, True)
    order = await stored_order(service, command.order_id)
    assert (order.payment_status, order.payment_id) == ("paid", receipt.payment_id)
    ((payment_id, charge),) = (await payments_of(service)).charged.values()
    assert (payment_id, charge.amount, charge.card_token) == (receipt.payment_id, TOTAL, "tok_visa")
    assert await happened(service, command.order_id) == ["OrderPlaced", "PaymentProcessed"]


async def test_a_declined_card_is_told_and_noted_and_stays_declined_under_its_key(
    service: RunningService, ada: Person
) -> None:
    command = await pay(ada, card_token=DECLINED_CARD)
    result = await ada.command(under_one_key(replace(command)))
    assert (result.status, result.error_message) == (OperationStatus.BAD_REQUEST, "The card was declined.")
    assert (await stored_order(service, command.order_id)).payment_status == "declined"
    assert await ada.command(under_one_key(replace(command))) == result.with_outcome(is_replay=True)
    await service.bus.settled()
    assert (await happened(service, command.order_id)).count("PaymentDeclined") == 1
    assert (await payments_of(service)).charged == {}


async def test_what_passes_is_tried_again_and_charged_once(service: RunningService, ada: Person) -> None:
    payments = await payments_of(service)
    command = await pay(ada)
    payments.failures += [ConnectionError(), TimeoutError()]
    receipt = (await ada.command(command)).unwrap()
    assert [payment_id for payment_id, _ in payments.charged.values()] == [receipt.payment_id]


async def test_a_provider_that_stays_away_is_told_and_what_it_charged_pays_though_another_card_is_named(
    service: RunningService, ada: Person
) -> None:
    payments = await payments_of(service)
    command = await pay(ada, card_token="tok_visa")
    payments.failures += [TimeoutError()] * 3
    assert (await ada.command(command)).status is OperationStatus.UNAVAILABLE
    assert (await stored_order(service, command.order_id)).payment_status == "open"
    receipt = (await ada.command(replace(command, card_token=DECLINED_CARD))).unwrap()
    assert [payment_id for payment_id, _ in payments.charged.values()] == [receipt.payment_id]


async def test_ten_at_once_charge_once(service: RunningService, ada: Person) -> None:
    command = await pay(ada)
    commands = [ProcessPaymentCommand(command.order_id, TOTAL) for _ in range(10)]
    results = await asyncio.gather(*map(ada.command, (*map(under_one_key, commands[:5]), *commands[5:])))
    payment_ids = {result.unwrap().payment_id for result in results if result.is_success}
    assert {result.status for result in results if result.is_failure} <= {OperationStatus.CONFLICT}
    assert payment_ids == {payment_id for payment_id, _ in (await payments_of(service)).charged.values()}
    assert (await happened(service, command.order_id)).count("PaymentProcessed") == 1


async def test_a_commit_that_is_lost_after_the_charge_charges_once(service: RunningService, ada: Person) -> None:
    command = await pay(ada)
    with failing_commits(service.bus, times=1):
        receipt = (await ada.command(command)).unwrap()
    assert [payment_id for payment_id, _ in (await payments_of(service)).charged.values()] == [receipt.payment_id]


async def test_a_cancelled_order_is_not_paid(ada: Person) -> None:
    command = await pay(ada)
    (await ada.command(CancelOrderCommand(command.order_id))).unwrap()
    assert (await ada.command(command)).status is OperationStatus.CONFLICT
    assert (await ada.command(ProcessPaymentCommand(uuid4(), TOTAL))).status is OperationStatus.NOT_FOUND
