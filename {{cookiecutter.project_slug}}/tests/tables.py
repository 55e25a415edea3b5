"""Tables of messages: who may send them, and what is not valid in them. All rows that are wrong are named at once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.core.cqrs import CQRSBus, ICommand, IQuery, OperationStatus
from tests.users import Person

Row = tuple[ICommand[Any] | IQuery[Any], str]
"""A message and some names: of those who may send it, or of its fields that are not valid."""

REFUSED = {OperationStatus.UNAUTHENTICATED, OperationStatus.FORBIDDEN}


async def assert_permissions(bus: CQRSBus, callers: Mapping[str, Person | None], table: Iterable[Row]) -> None:
    """Each message is refused to all callers but those whom its row names; to them it may fail for another reason.

    Args:
        bus: that of a running service.
        callers: who tries each message, by name and one after the other; None is not signed in.
        table: the rows.
    """
    wrong = []
    for message, names in table:
        for name, caller in callers.items():
            sent = replace(message)  # type: ignore[type-var]
            sent.metadata.user_id = str(caller.id) if caller else None
            status = (await bus.execute(sent)).status
            refusal = OperationStatus.FORBIDDEN if caller else OperationStatus.UNAUTHENTICATED
            if status in REFUSED if name in names.split() else status is not refusal:
                wrong.append(f"{type(message).__name__} is for {names} only, but {name}: {status.name}")
    assert not wrong, "\n".join(wrong)


def assert_problems(table: Iterable[Row]) -> None:
    """`validate()` of each message names the fields of its row, and no others."""
    wrong = []
    for message, names in table:
        found = set(message.validate())  # type: ignore[arg-type]
        if found != set(names.split()):
            wrong.append(f"{message} names {found or 'nothing'}, not {names or 'nothing'}")
    assert not wrong, "\n".join(wrong)
