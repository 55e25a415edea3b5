"""One way to get a message handled, with the counter that proves that it was."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeVar

from benchmarks.dispatch.lines import Line

F = TypeVar("F", bound=Callable[..., Any])


class WrongCountError(Exception):
    """A handler was not called as often as messages were sent, so the figures are worthless."""


class Counter:
    """Counts the calls of a handler; every case has one, and it is checked after every slice."""

    __slots__ = ("hits",)

    def __init__(self) -> None:
        self.hits = 0


@dataclass(frozen=True, eq=False)
class Case:
    """One way to get a message handled, and the counter that proves that it was."""

    line: Line
    who: str
    send: Callable[[Any], Any]
    make: Callable[[], object]
    counter: Counter
    calls: int = 1
    """How many handlers one message reaches."""
    floor: "Case | None" = None
    """Timed just before this case and compared with it; the direct call of a handler unless said."""
    steps: int = 0
    """How many coroutines of these benchmarks, middlewares above all, one message passes before its handler."""
    note: str = ""
    comparable: bool = True
    """Whether it does no less than ours on this line; if it does less, it is shown and not judged."""
    is_sync: bool = False
    is_fresh: bool = False
    """Make each message inside the measured time."""
    messages: tuple[object, ...] = ()
    """Messages of many types to send in turn, instead of one from `make`."""
    drain: Callable[[], Awaitable[None]] | None = None
    """Waits for what was only queued."""


def own_code(function: F) -> F:
    """The same function with code of its own: functions that share code share the interpreter's inline caches too."""
    code, closure = function.__code__.replace(), function.__closure__
    copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    copy.__annotations__ = function.__annotations__
    copy.__qualname__ = function.__qualname__
    return copy  # type: ignore[return-value]  # the copy of a function is called like the function
