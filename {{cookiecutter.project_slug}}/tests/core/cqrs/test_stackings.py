"""The order in which decorators are stacked never matters: all 120 stackings of five of them are one pipeline."""

from collections.abc import Callable, Iterator
from itertools import count, permutations
from typing import Any
from unittest.mock import patch

import pytest

from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    TransientError,
    authorize,
    cached_query,
    command_handler,
    query_handler,
    retry_on_failure,
    transactional,
    validate_input,
)
from app.core.cqrs.policies import deadline
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, forever, may, sent_by, within_patience

Decorator = Callable[[Any], Any]
DEADLINE = 30.0


class Log(list[str]):
    """What happened, in order; `failures` is how often the handler still fails."""

    failures = 0
    hangs = False

    def check(self, message: Any) -> dict[str, str]:
        self.append("validate")
        return {"field": "is wrong"} if "wrong" in (getattr(message, "what", ""), getattr(message, "about", "")) else {}

    async def work(self) -> str:
        self.append("handle")
        if self.hangs:
            await forever()
        if self.failures:
            self.failures -= 1
            raise TransientError("Busy.")
        return "done"

    def taken(self) -> list[str]:
        taken = list(self)
        self.clear()
        return taken


def command_stack(log: Log) -> tuple[Decorator, ...]:
    return (
        command_handler(Do, timeout_seconds=DEADLINE),
        transactional(),
        authorize(["a:b"]),
        retry_on_failure(max_attempts=3, delay_seconds=0),
        validate_input(log.check),
    )


def query_stack(log: Log) -> tuple[Decorator, ...]:
    return (
        query_handler(Ask, timeout_seconds=DEADLINE),
        cached_query(ttl_seconds=60, scope="public"),
        authorize(["a:b"]),
        retry_on_failure(max_attempts=3, delay_seconds=0),
        validate_input(log.check),
    )


def stacked_buses(stack: Callable[[Log], tuple[Decorator, ...]], base: Any) -> Iterator[tuple[MemoryBus, Log, str]]:
    """A bus for each order of the decorators, with its log and the order's name."""
    for order in permutations(range(5)):
        log = Log()

        async def _handle(self: Any, message: Any, log: Log = log) -> str:
            return await log.work()

        handler: Any = type("Handler", (base,), {"_handle": _handle})
        decorators = stack(log)
        for place in order:
            handler = decorators[place](handler)
        bus = MemoryBus(handler, grants={"ada": may("a:b"), "eve": may()})
        yield bus, log, "".join(map(str, order))


def noting_access(bus: MemoryBus, log: Log) -> None:
    grants_of = bus.access.grants_of

    async def noted(user_id: str) -> Any:
        log.append("permissions")
        return await grants_of(user_id)

    bus.access.grants_of = noted  # type: ignore[method-assign]  # notes it only


async def _sent(bus: MemoryBus, log: Log, message: Any) -> tuple[str, list[str], list[str]]:
    bus.units.journal.clear()
    result = await within_patience(bus.execute(message))
    return result.status.name, log.taken(), bus.units.journal[:]


STACKS: dict[str, Any] = {
    "commands": (command_stack, BaseCommandHandler, "commands"),
    "queries": (query_stack, BaseQueryHandler, "queries"),
}


@pytest.mark.parametrize("kind", STACKS)
def test_all_stackings_compile_to_one_pipeline(kind: str) -> None:
    stack, base, part = STACKS[kind]
    described = [bus.describe()[part] for bus, _, _ in stacked_buses(stack, base)]
    assert len(described) == 120
    (steps,) = {tuple(found["steps"]) for one in described for found in one.values()}
    guards = (
        "deadline",
        "authentication",
        "validation",
        "authorize",
        "cached_query",
        "retry_on_failure",
        "attempt",
        "transactional",
    )
    expected = [guard for guard in guards if guard != ("cached_query" if kind == "commands" else "transactional")]
    assert [step for step in steps if step in guards] == expected
    assert steps[-1] == "handling"


def time_flies() -> Any:
    """A minute passes between any two looks at the clock that deadlines go by."""
    return patch.object(deadline, "monotonic", count(step=60).__next__)


async def test_all_stackings_of_a_command_behave_the_same() -> None:
    for bus, log, order in stacked_buses(command_stack, BaseCommandHandler):
        noting_access(bus, log)
        assert await _sent(bus, log, Do("wrong")) == ("UNAUTHENTICATED", [], []), order
        assert await _sent(bus, log, sent_by("eve", Do("wrong"))) == ("VALIDATION_ERROR", ["validate"], []), order
        assert await _sent(bus, log, sent_by("eve", Do())) == ("FORBIDDEN", ["validate", "permissions"], []), order
        log.failures = 2
        assert await _sent(bus, log, sent_by("ada", Do())) == (
            "SUCCESS",
            ["validate", "permissions", "handle", "handle", "handle"],
            ["begin", "rollback", "begin", "rollback", "begin", "commit"],
        ), order
        log.failures = 9
        assert await _sent(bus, log, sent_by("ada", Do())) == (
            "UNAVAILABLE",
            ["validate", "permissions", "handle", "handle", "handle"],
            ["begin", "rollback"] * 3,
        ), order
        log.hangs = True
        with time_flies():
            late = await _sent(bus, log, sent_by("ada", Do()))
        assert late == ("TIMEOUT", ["validate", "permissions", "handle"], ["begin", "rollback"]), order


async def test_all_stackings_of_a_query_behave_the_same() -> None:
    for bus, log, order in stacked_buses(query_stack, BaseQueryHandler):
        noting_access(bus, log)
        log.failures = 2
        ada, eve = sent_by("ada", Ask()), sent_by("eve", Ask())
        assert await _sent(bus, log, ada) == ("SUCCESS", ["validate", "permissions", *["handle"] * 3], []), order
        assert await _sent(bus, log, ada) == ("SUCCESS", ["validate", "permissions"], []), order
        assert await _sent(bus, log, eve) == ("FORBIDDEN", ["validate", "permissions"], []), order
        assert await _sent(bus, log, Ask()) == ("UNAUTHENTICATED", [], []), order
        assert await _sent(bus, log, sent_by("ada", Ask("wrong"))) == ("VALIDATION_ERROR", ["validate"], []), order
        log.hangs = True
        with time_flies():
            late = await _sent(bus, log, sent_by("ada", Ask("other")))
        assert late == ("TIMEOUT", ["validate", "permissions", "handle"], []), order
