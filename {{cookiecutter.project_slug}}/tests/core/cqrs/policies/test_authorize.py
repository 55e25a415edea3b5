from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from app.core.cqrs import AuthorizationError, ICommand, OperationStatus, PolicyError, authorize
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, handler_of, may, sent_by

OWNED: dict[str, Any] = {"resource_id_field": "owner"}


def bus_with(*decorators: Any, message: type = Do, **grants: Any) -> MemoryBus:
    return MemoryBus(handler_of(message, lambda _: "done", *decorators), grants=grants)


async def test_nobody_is_asked_to_log_in() -> None:
    result = await bus_with(authorize(["a:b"])).execute_command(Do())
    assert (result.status, result.error_message) == (OperationStatus.UNAUTHENTICATED, "Log in to do this.")


async def test_an_account_that_is_not_there_or_not_active_is_unauthenticated() -> None:
    result = await bus_with(authorize(["a:b"])).execute_command(sent_by("ghost", Do()))
    assert result.status is OperationStatus.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("needed", "held", "owner", "status"),
    [
        (["user:update"], ["user:update"], None, "SUCCESS"),
        (["user:update"], [], None, "FORBIDDEN"),
        (["user:update"], ["user:read"], None, "FORBIDDEN"),
        (["user:update", "user:read"], ["user:update"], None, "FORBIDDEN"),
        (["user:update", "user:read"], ["user:read", "user:update"], None, "SUCCESS"),
        ("user:update", ["user:update"], None, "SUCCESS"),
        ("user:update", ["u", "s"], None, "FORBIDDEN"),
    ],
)
async def test_all_permissions_are_needed(needed: Any, held: list[str], owner: str | None, status: str) -> None:
    bus = bus_with(authorize(needed), ada=may(*held))
    assert (await bus.execute_command(sent_by("ada", Do(owner=owner)))).status is OperationStatus[status]


@pytest.mark.parametrize("needed", [["user:update"], ["user:update:own"]])
@pytest.mark.parametrize(
    ("held", "owner", "status"),
    [
        ("user:update", "bob", "SUCCESS"),
        ("user:update", None, "SUCCESS"),
        ("user:update:own", "ada", "SUCCESS"),
        ("user:update:own", "bob", "FORBIDDEN"),
        ("user:update:own", None, "FORBIDDEN"),
        ("user:read:own", "ada", "FORBIDDEN"),
    ],
)
async def test_own_is_only_for_the_owner(needed: list[str], held: str, owner: str | None, status: str) -> None:
    bus = bus_with(authorize(needed, **OWNED), ada=may(held))
    assert (await bus.execute_command(sent_by("ada", Do(owner=owner)))).status is OperationStatus[status]


async def test_own_is_worth_nothing_where_no_field_tells_whose_it_is() -> None:
    bus = bus_with(authorize(["user:update"]), ada=may("user:update:own"))
    result = await bus.execute_command(sent_by("ada", Do(owner="ada")))
    assert result.status is OperationStatus.FORBIDDEN
    assert result.errors == {"missing_permissions": ["user:update"]}


async def test_ids_are_compared_as_text() -> None:
    @dataclass
    class Update(ICommand[str]):
        user: UUID

    user = UUID(int=7)
    handler = handler_of(Update, lambda _: "done", authorize(["user:update"], "user"))
    bus = MemoryBus(handler, grants={str(user): may("user:update:own")})
    assert (await bus.execute_command(sent_by(str(user), Update(user)))).is_success


async def test_an_administrator_may_and_the_audit_log_says_so(logs: list[MutableMapping[str, Any]]) -> None:
    bus = bus_with(authorize(["a:b", "c:d"]), root=may("c:d", is_admin=True))
    command = sent_by("root", Do())
    assert (await bus.execute_command(command)).is_success
    assert logs == [
        {
            "event": "admin_override",
            "log_level": "info",
            "message_name": "Do",
            "user_id": "root",
            "operation_id": command.metadata.operation_id,
            "permissions": ["a:b"],
        }
    ]


async def test_an_administrator_with_the_permission_overrides_nothing(logs: list[MutableMapping[str, Any]]) -> None:
    assert (
        await bus_with(authorize(["a:b"]), root=may("a:b", is_admin=True)).execute(sent_by("root", Do()))
    ).is_success
    assert logs == []


async def test_administrators_may_be_like_all_others() -> None:
    bus = bus_with(authorize(["a:b"], allow_admin_override=False), root=may(is_admin=True))
    assert (await bus.execute_command(sent_by("root", Do()))).status is OperationStatus.FORBIDDEN


async def test_queries_are_guarded_too() -> None:
    bus = bus_with(authorize(["a:b"]), message=Ask, ada=may("a:b"))
    assert (await bus.execute_query(sent_by("ada", Ask()))).is_success
    assert (await bus.execute_query(sent_by("bob", Ask()))).is_failure


async def test_what_a_handler_dispatches_is_checked_for_the_same_caller(cqrs_bus: MemoryBus) -> None:
    async def outer(_: Do) -> str:
        return (await cqrs_bus.execute_command(DoMore())).unwrap()

    cqrs_bus.register(handler_of(Do, outer))
    cqrs_bus.register(handler_of(DoMore, lambda _: "done", authorize(["a:b"])))
    cqrs_bus.access.grants["ada"] = may("a:b")
    assert (await cqrs_bus.execute_command(sent_by("ada", Do()))).unwrap() == "done"
    assert (await cqrs_bus.execute_command(Do())).status is OperationStatus.UNAUTHENTICATED
    cqrs_bus.access.grants["ada"] = may()
    assert (await cqrs_bus.execute_command(sent_by("ada", Do()))).status is OperationStatus.FORBIDDEN


async def test_permissions_are_read_once_for_a_caller_and_what_is_dispatched_for_him(cqrs_bus: MemoryBus) -> None:
    async def outer(_: Do) -> str:
        cqrs_bus.access.grants["ada"] = may("a:b")
        allowed = []
        for user in ("ada", "bob"):
            with suppress(AuthorizationError):
                await cqrs_bus.execute_command(sent_by(user, DoMore()))
                allowed.append(user)
        return " ".join(allowed)

    cqrs_bus.register(handler_of(Do, outer, authorize(["a:b"])))
    cqrs_bus.register(handler_of(DoMore, lambda _: "done", authorize(["c:d"])))
    cqrs_bus.access.grants = {"ada": may("a:b", "c:d"), "bob": may()}
    assert (await cqrs_bus.execute_command(sent_by("ada", Do()))).unwrap() == "ada"
    assert (await cqrs_bus.execute_command(sent_by("ada", Do()))).unwrap() == "", "The next reads them anew."


@pytest.mark.parametrize(
    ("decorator", "message", "sentence"),
    [
        (authorize([]), Do, r"DoHandler: permissions=\[\].*at least one"),
        (authorize(["a:b"], "nothing"), Do, "resource_id_field names nothing, which Do does not have"),
        (authorize(["a:b:own"]), Do, "needs a resource_id_field"),
        (authorize(["a:b"]), Happened, "for commands and queries"),
    ],
)
def test_what_cannot_work_is_refused(decorator: Any, message: type, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        bus_with(decorator, message=message)
