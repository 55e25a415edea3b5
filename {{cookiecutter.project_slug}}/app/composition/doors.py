"""Logs at startup which handlers are open to everybody, and which required permissions no role has."""

from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from app.core.cqrs import CQRSBus
from app.persistence.access import permissions_of_roles
from app.persistence.engine.database import Database

OWN = ":own"
logger = structlog.get_logger(__name__)


async def tell_doors(bus: CQRSBus, database: Database) -> None:
    """Log which handlers are open to everybody, and warn of required permissions that no role has."""
    described = bus.describe()
    handlers = open_handlers(described)
    logger.info("open_handlers_found", count=len(handlers), handlers=handlers)
    held = await permissions_of_roles(database)
    if missing := permissions_of_nobody(described, held):
        logger.warning("permissions_not_granted", permissions=missing, hint=HINT)


HINT = "only administrators may do this: correct the names at @authorize, or grant them to a role in a migration"


def open_handlers(described: Mapping[str, Any]) -> list[str]:
    """The handlers of commands and queries without `@authorize`: every caller of the bus may run them."""
    return sorted(about["handler"] for about in _answering(described) if about["open_to_everybody"])


def permissions_of_nobody(described: Mapping[str, Any], held: frozenset[str]) -> dict[str, list[str]]:
    """The permissions that handlers require and no role has: handler -> its permissions.

    Args:
        described: the result of the bus's `describe()`.
        held: the permissions of all roles.
    """
    missing = {}
    for about in _answering(described):
        policy = about["policies"].get("Authorize", {"permissions": ()})
        nobodys = [one for one in policy["permissions"] if not _is_held(one, policy["resource_id_field"], held)]
        if nobodys:
            missing[about["handler"]] = nobodys
    return missing


def _is_held(permission: str, resource_id_field: str | None, held: frozenset[str]) -> bool:
    anybodys = permission.removesuffix(OWN)
    return anybodys in held or (resource_id_field is not None and anybodys + OWN in held)


def _answering(described: Mapping[str, Any]) -> Iterator[Any]:
    yield from described["commands"].values()
    yield from described["queries"].values()
