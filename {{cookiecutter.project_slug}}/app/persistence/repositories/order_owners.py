"""Checks who owns an order, on the locked row, because a message can claim any owner."""

from app.core.cqrs import AccessPolicy, AuthorizationError
from app.domain.order import Order

MANAGE_ORDERS = "order:manage"
"""The permission to act on the orders of other users."""


class OrderOwners:
    """Decides whether a user may act on an order."""

    def __init__(self, access: AccessPolicy) -> None:
        self._access = access

    async def require(self, order: Order, user_id: str | None) -> None:
        """Make sure that the caller placed the order, or may act on the orders of other users.

        Raises:
            AuthorizationError: if neither is the case.
        """
        if user_id is not None:
            if str(order.customer_user_id) == user_id:
                return
            grants = await self._access.grants_of(user_id)
            if grants is not None and (grants.is_admin or MANAGE_ORDERS in grants.permissions):
                return
        raise AuthorizationError(
            "This order belongs to another customer.", details={"missing_permissions": [MANAGE_ORDERS]}
        )
