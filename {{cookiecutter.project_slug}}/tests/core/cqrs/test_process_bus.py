import inspect
from collections.abc import Iterator

import pytest

from app.core.cqrs import (
    CQRSBus,
    DuplicateHandlerError,
    OperationStatus,
    PolicyError,
    authorize,
    bus,
    get_cqrs_bus,
    handlers,
    initialize_cqrs_bus,
    shutdown_cqrs_bus,
    use_cqrs_bus,
)
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, handler_of


@pytest.fixture(autouse=True)
def _a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bus, "_bus", None)
    declared: list[type] = []
    monkeypatch.setattr(handlers, "declared_handlers", declared)
    monkeypatch.setattr(bus, "declared_handlers", declared)
    yield
    shutdown_cqrs_bus()


async def test_it_is_made_on_first_use_with_everything_declared() -> None:
    handler_of(Do, lambda _: "done")
    handler_of(Ask, lambda _: "answer")
    handler_of(Happened, lambda _: None)
    handler_of(DoMore, lambda _: "by hand", auto_register=False)
    bus = get_cqrs_bus()
    assert bus is get_cqrs_bus()
    assert bus.get_handler_count() == {"commands": 1, "queries": 1, "events": 1, "total": 3}
    assert (await bus.execute_command(Do())).unwrap() == "done"


async def test_it_can_be_made_anew_and_keeps_the_declared_handlers() -> None:
    handler_of(Do, lambda _: "done")
    old = get_cqrs_bus()
    old.register_command_handler(DoMore, handler_of(DoMore, lambda _: "x", auto_register=False))
    new = initialize_cqrs_bus()
    assert new is not old
    assert new is get_cqrs_bus()
    assert new.get_handler_count()["commands"] == 1
    assert (await old.execute_command(Do())).status is OperationStatus.UNAVAILABLE


def test_two_declared_handlers_for_one_message_are_refused_unless_overriding() -> None:
    handler_of(Do, lambda _: "first")
    last = handler_of(Do, lambda _: "last")
    with pytest.raises(DuplicateHandlerError):
        initialize_cqrs_bus()
    assert initialize_cqrs_bus(allow_handler_override=True).get_registered_handlers()["commands"] == {Do: last}


def test_what_cannot_work_is_refused() -> None:
    handler_of(Do, lambda _: "x", authorize([]))
    with pytest.raises(PolicyError):
        get_cqrs_bus()


async def test_it_ends_and_begins_again() -> None:
    handler_of(Do, lambda _: "done")
    old = get_cqrs_bus()
    shutdown_cqrs_bus()
    assert (await old.execute_command(Do())).status is OperationStatus.UNAVAILABLE
    assert get_cqrs_bus() is not old
    assert (await get_cqrs_bus().execute_command(Do())).unwrap() == "done"
    shutdown_cqrs_bus()
    shutdown_cqrs_bus()


async def test_a_service_may_let_its_own_be_it() -> None:
    mine = CQRSBus()
    assert use_cqrs_bus(mine) is mine
    assert get_cqrs_bus() is mine
    assert use_cqrs_bus(mine) is mine
    mine.register(handler_of(Do, lambda _: "mine"))
    assert (await mine.execute_command(Do())).unwrap() == "mine"
    use_cqrs_bus(CQRSBus())
    assert (await mine.execute_command(Do())).status is OperationStatus.UNAVAILABLE


def test_it_is_a_dependency_as_it_is() -> None:
    assert not inspect.signature(get_cqrs_bus).parameters
