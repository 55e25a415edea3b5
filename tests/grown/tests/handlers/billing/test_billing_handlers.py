from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.core.event_types import EventTypes
from app.handlers.billing.get_invoices_handler import GetInvoicesQuery
from app.handlers.billing.get_revenue_handler import GetRevenueQuery
from app.handlers.billing.pay_invoice_handler import PayInvoiceCommand
from app.handlers.billing.raise_invoice_handler import RaiseInvoiceCommand
from app.persistence.engine.database import Database
from app.persistence.projections.rebuilding import rebuild
from app.read_models.revenue import PROJECTION
from tests.rows import deliver_again
from tests.users import People

DUE = date(2026, 1, 31)


async def test_everybody_who_registers_is_a_customer(bus: CQRSBus, people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    await bus.settled()
    raised = await root.command(RaiseInvoiceCommand(ada.id, Decimal("12.50"), DUE))
    assert raised.status is OperationStatus.CREATED
    assert [invoice.status for invoice in (await ada.query(GetInvoicesQuery(ada.id))).unwrap()] == ["open"]


async def test_a_payment_is_seen_at_once_and_counted_once(service: RunningService, people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    await service.bus.settled()
    first, _ = [
        (await root.command(RaiseInvoiceCommand(ada.id, Decimal(amount), DUE))).unwrap() for amount in ("10.00", "5.25")
    ]
    assert (await root.command(PayInvoiceCommand(ada.id, first))).unwrap() == 2
    assert sorted(one.status for one in (await ada.query(GetInvoicesQuery(ada.id))).unwrap()) == ["open", "paid"]
    await deliver_again(service)
    (month,) = (await root.query(GetRevenueQuery())).unwrap()
    assert (month.month, month.raised, month.paid) == ("2026-01", Decimal("15.25"), Decimal("10.00"))


async def test_the_revenue_is_made_anew_from_the_log(service: RunningService, people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    await service.bus.settled()
    await root.command(RaiseInvoiceCommand(ada.id, Decimal("10.00"), DUE))
    await service.bus.settled()
    before = (await root.query(GetRevenueQuery())).unwrap()
    database, types = await service.container.get(Database), await service.container.get(EventTypes)
    assert await rebuild(database, types, PROJECTION) == 1
    assert (await root.query(GetRevenueQuery())).unwrap() == before


@pytest.mark.parametrize(
    ("amount", "status"),
    [("0.00", OperationStatus.VALIDATION_ERROR), ("10000.01", OperationStatus.BUSINESS_RULE)],
)
async def test_amounts_have_bounds(people: People, amount: str, status: OperationStatus) -> None:
    root = await people.administrator()
    refused = await root.command(RaiseInvoiceCommand(root.id, Decimal(amount), DUE))
    assert refused.status is status


async def test_what_is_not_there_is_not_found(people: People) -> None:
    root = await people.administrator()
    nobody = UUID(int=1)
    assert (await root.command(RaiseInvoiceCommand(nobody, Decimal(1), DUE))).status is OperationStatus.NOT_FOUND
    assert (await root.command(PayInvoiceCommand(nobody, nobody))).status is OperationStatus.NOT_FOUND
