"""The tables of the service's tests have a row for each message that has rules."""

from typing import Any
from uuid import uuid4

from app.core.cqrs.plan import Kind, declarations_of
from app.core.discovery import discover
from tests.composition.test_doors import listed
from tests.handlers.order import test_permissions as order_permissions
from tests.handlers.order import test_validation as order_validation
from tests.handlers.user import test_permissions as user_permissions
from tests.handlers.user import test_validation as user_validation

HANDLERS: dict[type[Any], str] = {
    declaration.message_type: handler.__name__
    for handler in discover("app.handlers").handlers
    for declaration in declarations_of(handler)
    if declaration.kind in (Kind.COMMAND, Kind.QUERY)
}


def test_each_message_that_not_everybody_may_send_has_a_row() -> None:
    rows = [*user_permissions.table(uuid4(), uuid4()), *order_permissions.table(uuid4(), uuid4(), uuid4())]
    closed = {message for message, handler in HANDLERS.items() if handler not in listed()}
    assert {type(message) for message, _ in rows} == closed


def test_each_message_that_checks_itself_has_a_row() -> None:
    rows = {type(message) for message, _ in (*user_validation.NAMED, *order_validation.NAMED)}
    checking = {message for message in HANDLERS if message.validate.__module__.startswith("app.handlers")}
    assert len(rows) > 10
    assert checking - rows == set()
