"""Invoices. What an endpoint does stands at its handler, and the API shows it."""

import datetime
from decimal import Decimal
from inspect import getdoc
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from app.api.errors import answer
from app.api.models import Body
from app.dependencies import Bus
from app.handlers.billing.get_invoices_handler import GetInvoicesHandler, GetInvoicesQuery
from app.handlers.billing.get_revenue_handler import GetRevenueHandler, GetRevenueQuery
from app.handlers.billing.pay_invoice_handler import PayInvoiceCommand, PayInvoiceHandler
from app.handlers.billing.raise_invoice_handler import RaiseInvoiceCommand, RaiseInvoiceHandler
from app.read_models.invoice_list import InvoiceView
from app.read_models.revenue import RevenueView

router = APIRouter(prefix="/api", tags=["invoices"])


class InvoiceToRaise(Body):
    """What a customer has to pay."""

    amount: Decimal
    due: datetime.date


class RaisedInvoice(BaseModel):
    """The invoice that was raised."""

    invoice_id: UUID


class PaidInvoice(BaseModel):
    """The invoice that was paid."""

    version: int


@router.post(
    "/customers/{customer_id}/invoices",
    status_code=201,
    response_model=RaisedInvoice,
    description=getdoc(RaiseInvoiceHandler),
)
async def raise_invoice(customer_id: UUID, body: InvoiceToRaise, bus: Bus) -> Response:
    result = await bus.execute_command(RaiseInvoiceCommand(customer_id, body.amount, body.due))
    return answer(result, lambda invoice_id: {"invoice_id": invoice_id})


@router.get(
    "/customers/{customer_id}/invoices", response_model=list[InvoiceView], description=getdoc(GetInvoicesHandler)
)
async def get_invoices(customer_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_query(GetInvoicesQuery(customer_id)))


@router.post(
    "/customers/{customer_id}/invoices/{invoice_id}/payment",
    response_model=PaidInvoice,
    description=getdoc(PayInvoiceHandler),
)
async def pay_invoice(customer_id: UUID, invoice_id: UUID, bus: Bus) -> Response:
    result = await bus.execute_command(PayInvoiceCommand(customer_id, invoice_id))
    return answer(result, lambda version: {"version": version})


@router.get("/reports/revenue", response_model=list[RevenueView], description=getdoc(GetRevenueHandler))
async def get_revenue(bus: Bus) -> Response:
    return answer(await bus.execute_query(GetRevenueQuery()))
