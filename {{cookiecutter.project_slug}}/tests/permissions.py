"""Who may send what: a table of messages for each feature, tried on one running service."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.core.cqrs import CQRSBus, ICommand, IQuery, OperationStatus
from tests.users import Person

Row = tuple[ICommand[Any] | IQuery[Any], str]
"""A message, and the names of all who may send it."""

REFUSED = {OperationStatus.UNAUTHENTICATED, OperationStatus.FORBIDDEN}


async def wrong_rows(bus: CQRSBus, callers: Mapping[str, Person | None], table: Iterable[Row]) -> list[str]:
    """What the service does not do as its table says. Who may send a message may still have it fail.

    Args:
        bus: that of the service.
        callers: who tries each message, by name and one after the other; None is not signed in.
        table: the rows.
    """
    wrong = []
    for message, names in table:
        for name, caller in callers.items():
            sent = replace(message)  # type: ignore[type-var]
            sent.metadata.user_id = str(caller.id) if caller else None
            status = (await bus.execute(sent)).status
            refused = OperationStatus.FORBIDDEN if caller else OperationStatus.UNAUTHENTICATED
            if status in REFUSED if name in names.split() else status is not refused:
                wrong.append(f"{type(message).__name__}: of {sorted(callers)} only {names} may, but {name}: {status}")
    return wrong
