"""`@authorize`: permission checks. Permissions are read on the server, never from the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from app.core.cqrs.errors import AuthenticationError, AuthorizationError
from app.core.cqrs.messages import name_of
from app.core.cqrs.operation import Operation, enclosing, here
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import Policy, refusal, require_fields
from app.core.cqrs.ports import AccessPolicy, Grants

OWN = ":own"
audit_log = structlog.get_logger("audit")


@dataclass(frozen=True)
class Authorize(Policy):
    """Admit only callers with all these permissions.

    Args:
        permissions: a caller with `user:update` may access any resource, one with `user:update:own` only its own.
        resource_id_field: the field of the message that contains the user id of the resource's owner.
        allow_admin_override: admit administrators without the permission; the audit log records it.
    """

    permissions: Sequence[str]
    resource_id_field: str | None = None
    allow_admin_override: bool = True

    example = '(permissions=["user:read"])'

    def __post_init__(self) -> None:
        super().__post_init__()
        named = (self.permissions,) if isinstance(self.permissions, str) else tuple(self.permissions)
        self._normalise(permissions=named)

    def check(self, plan: Plan) -> None:
        """Refuse events, an empty list of permissions, and `:own` permissions without the owner's field."""
        if plan.kind is Kind.EVENT:
            raise refusal(plan, "@authorize is for commands and queries: nobody asks for an event.")
        if not self.permissions:
            raise refusal(plan, "permissions=[] would let nobody in or everybody; name at least one permission.")
        if self.resource_id_field is not None:
            require_fields(plan, (self.resource_id_field,), "resource_id_field")
        elif any(permission.endswith(OWN) for permission in self.permissions):
            raise refusal(plan, "a permission that ends with :own needs a resource_id_field to tell whose it is.")

    def step(self, plan: Plan, proceed: Step) -> Step:
        """Refuse callers without the permissions, before any cached or stored answer is visible."""
        access, nested = plan.ports.access, plan.nested

        async def require_permission(message: Any) -> Any:
            operation = here()
            user_id = message.metadata.user_id
            grants = _grants_around(operation, user_id) if nested else None
            if grants is None:
                grants = await _grants(access, user_id)
            operation._grants = grants
            missing = [needed for needed in self.permissions if not self._grant(needed, grants, message)]
            if missing:
                if not (self.allow_admin_override and grants.is_admin):
                    raise AuthorizationError("You may not do this.", details={"missing_permissions": missing})
                _note_override(message, missing)
            return await proceed(message)

        return require_permission

    def _grant(self, needed: str, grants: Grants, message: Any) -> bool:
        """Whether the grants contain a permission, for this resource."""
        permission = needed.removesuffix(OWN)
        if permission in grants.permissions:
            return True
        if self.resource_id_field is None or permission + OWN not in grants.permissions:
            return False
        owner = getattr(message, self.resource_id_field)
        return owner is not None and str(owner) == str(message.metadata.user_id)


authorize = Authorize


def authentication(plan: Plan, proceed: Step) -> Step:
    """Refuse anonymous callers, before a validation error tells them anything about the message."""
    if plan.policy(Authorize) is None:
        return proceed

    def require_caller(message: Any) -> Any:
        if message.metadata.user_id is None:
            raise AuthenticationError("Log in to do this.")
        return proceed(message)

    return require_caller


def _note_override(message: Any, missing: list[str]) -> None:
    audit_log.info(
        "admin_override",
        message_name=name_of(message),
        user_id=str(message.metadata.user_id),
        operation_id=message.metadata.operation_id,
        permissions=missing,
    )


def _grants_around(operation: Operation, user_id: Any) -> Grants | None:
    """The grants that an outer operation read for the same caller: reading again may find no free connection."""
    for around in enclosing(operation):
        grants: Grants | None = getattr(around, "_grants", None)
        if grants is not None and around._message.metadata.user_id == user_id:
            return grants
    return None


async def _grants(access: AccessPolicy | None, user_id: Any) -> Grants:
    if access is None:
        raise AuthorizationError(
            "Nobody may do this, because the bus does not know what callers may do: make it with CQRSBus(access=...)."
        )
    grants = await access.grants_of(str(user_id))
    if grants is None:
        raise AuthenticationError("This account does not exist or is not active.")
    return grants
