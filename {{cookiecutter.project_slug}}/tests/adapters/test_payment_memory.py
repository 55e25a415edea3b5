from decimal import Decimal
from typing import Any

import pytest
import structlog

from app.adapters.payment_memory import DECLINED_CARD, MemoryPayments, open_payments
from app.domain.payments import Charge, PaymentDeclinedError
from tests.databases import settings_for

CHARGE = Charge("order:1", Decimal("12.99"), "tok_visa")


async def test_one_key_is_charged_once() -> None:
    payments = MemoryPayments()
    first = await payments.charge(CHARGE)
    assert await payments.charge(CHARGE) == first
    assert await payments.charge(Charge("order:2", Decimal("12.99"))) != first
    assert list(payments.charged) == ["order:1", "order:2"]


async def test_the_test_card_is_declined() -> None:
    payments = MemoryPayments()
    with pytest.raises(PaymentDeclinedError):
        await payments.charge(Charge("order:1", Decimal("12.99"), DECLINED_CARD))
    assert payments.charged == {}


async def test_who_is_not_reached_has_charged_nothing_and_who_is_late_has() -> None:
    payments = MemoryPayments()
    payments.failures += [ConnectionError(), TimeoutError()]
    with pytest.raises(ConnectionError):
        await payments.charge(CHARGE)
    assert payments.charged == {}
    with pytest.raises(TimeoutError):
        await payments.charge(CHARGE)
    charged = payments.charged["order:1"]
    assert await payments.charge(CHARGE) == charged[0]


async def test_a_payment_is_given_back_once() -> None:
    payments = MemoryPayments()
    payment_id = await payments.charge(CHARGE)
    payments.failures.append(TimeoutError())
    with pytest.raises(TimeoutError):
        await payments.refund(CHARGE.key)
    for key in (CHARGE.key, CHARGE.key, "order:2"):
        await payments.refund(key)
    assert payments.refunded == [payment_id]


@pytest.mark.parametrize("charged_before", [True, False])
async def test_a_charge_that_comes_after_its_refund_is_declined(charged_before: bool) -> None:
    payments = MemoryPayments()
    if charged_before:
        await payments.charge(CHARGE)
    before = dict(payments.charged)
    await payments.refund(CHARGE.key)
    with pytest.raises(PaymentDeclinedError):
        await payments.charge(CHARGE)
    assert payments.charged == before


@pytest.mark.parametrize(("environment", "warned"), [("production", ["payments_faked"]), ("development", [])])
async def test_production_is_warned(environment: str, warned: list[str]) -> None:
    secure: dict[str, Any] = {"password_time_cost": 3, "password_memory_kib": 65_536, "sqlite_in_production": True}
    settings = settings_for("sqlite:///x.db", environment=environment, **secure)
    with structlog.testing.capture_logs() as logs:
        async with open_payments("memory://", settings):
            pass
    assert [line["event"] for line in logs] == warned
