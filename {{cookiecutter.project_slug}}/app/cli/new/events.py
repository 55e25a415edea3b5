"""Examples of events, for tests."""

from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_type_hints
from uuid import UUID

from app.cli.terminal import CommandError
from app.core.cqrs import DomainEvent
from app.core.discovery import discover

VALUES: dict[Any, tuple[str, str]] = {
    UUID: ("uuid4()", "from uuid import uuid4\n"),
    str: ('"some {field}"', ""),
    int: ("1", ""),
    float: ("1.0", ""),
    bool: ("True", ""),
    Decimal: ('Decimal("1.00")', "from decimal import Decimal\n"),
    date: ("date(2026, 1, 2)", "from datetime import date\n"),
    datetime: ("datetime(2026, 1, 2, tzinfo=UTC)", "from datetime import UTC, datetime\n"),
}
"""Type of a field -> an example of it, and what that imports."""


@dataclass(frozen=True)
class Sample:
    """How a test makes an event: the module of its class, the arguments, and what they import."""

    module: str
    arguments: str
    imports: str


def sample_of(event: str) -> Sample:
    """An example of an event of this service, about the user `ada` of a test.

    Raises:
        CommandError: if there is no such event, it does not say which user it is about, or a field is of a type of
            which there is no example.
    """
    found: dict[str, type[DomainEvent]] = {one.__name__: one for one in discover("app.domain").events}
    if event not in found:
        raise CommandError(f"There is no event {event} in app/domain: there are {', '.join(sorted(found)) or 'none'}.")
    types = get_type_hints(found[event])
    if types.get("user_id") is not UUID:
        raise CommandError(f"{event} has no `user_id: UUID`, so nobody can be told: write this handler by hand.")
    arguments, imports = [], set[str]()
    for one in fields(found[event]):
        if one.default is not MISSING or one.default_factory is not MISSING:
            continue
        if types[one.name] not in VALUES:
            raise CommandError(f"No example is known for {one.name} of {event}, {types[one.name]}: write it by hand.")
        value, imported = ("ada.id", "") if one.name == "user_id" else VALUES[types[one.name]]
        arguments.append(f"{one.name}={value.format(field=one.name)}")
        imports.add(imported)
    return Sample(found[event].__module__, ", ".join(arguments), "".join(sorted(imports)))
