"""Refuse invoices that are too large."""

from typing import Any

from app.core.cqrs import BusinessRuleViolationError, NextHandler, OperationResult, PipelineBehavior
from app.domain.billing_limits import BillingLimits
from app.handlers.billing.raise_invoice_handler import RaiseInvoiceCommand


class LimitInvoices(PipelineBehavior[RaiseInvoiceCommand]):
    """Nobody raises an invoice over more than the settings allow."""

    limits: BillingLimits

    async def handle(self, message: RaiseInvoiceCommand, next_handler: NextHandler) -> OperationResult[Any]:
        """Go on if the amount is not too large.

        Raises:
            BusinessRuleViolationError: it is.
        """
        if message.amount > self.limits.largest:
            raise BusinessRuleViolationError(f"An invoice is at most {self.limits.largest}.")
        return await next_handler()
