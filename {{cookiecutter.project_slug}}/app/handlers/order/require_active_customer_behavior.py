"""Accept orders from active accounts, and from customers without an account."""

from typing import Any

from app.core.cqrs import AccessPolicy, AuthenticationError, NextHandler, OperationResult, PipelineBehavior
from app.handlers.order.place_order_handler import PlaceOrderCommand


class RequireActiveCustomer(PipelineBehavior[PlaceOrderCommand]):
    """Refuse a customer whose account was closed after the access token was issued; ordering needs no permission."""

    access: AccessPolicy

    async def handle(self, message: PlaceOrderCommand, next_handler: NextHandler) -> OperationResult[Any]:
        """Continue for an active account, and for an anonymous customer.

        Raises:
            AuthenticationError: if the account does not exist or is not active.
        """
        user_id = message.metadata.user_id
        if user_id is not None and await self.access.grants_of(user_id) is None:
            raise AuthenticationError("This account does not exist or is not active.")
        return await next_handler()
