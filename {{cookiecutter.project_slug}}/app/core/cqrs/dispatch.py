"""The message that is being handled, found through a context variable."""

from collections.abc import Iterator
from contextvars import ContextVar, Token
from typing import Any


class Lease:
    """Names the bus of a running dispatch. `CQRSBus.aclose` waits until nothing refers to the bus's own lease."""

    def __init__(self, bus: Any) -> None:
        self.bus = bus


class Dispatch:
    """The state of a message in its pipeline; the dispatch of an outermost message becomes its result.

    One object serves as both, and attributes that are not set cost nothing: a second object would cost as much as
    the whole detection of nested dispatches.
    """

    __slots__ = ("_grants", "_lease", "_message", "_parent", "_token", "_work")

    _grants: Any
    _lease: Lease | None
    _message: Any
    _parent: "Dispatch"
    _token: "Token[Dispatch | None] | None"
    _work: Any

    def _is_running_here(self) -> bool:
        """Whether this dispatch is still open and the caller belongs to the task that opened it.

        A context variable accepts a token only in the context that created it, and every task has a context of
        its own. This distinguishes tasks without asking the event loop, which would cost more than the dispatch.
        """
        if self._token is None:
            return False
        try:
            current.reset(self._token)
        except ValueError:
            return False
        self._token = current.set(self)
        return True

    def _open(self, lease: Lease, message: Any) -> None:
        """Make this the current dispatch."""
        self._lease, self._message = lease, message
        self._token = current.set(self)

    def _close(self) -> None:
        """End this dispatch, and make the one before it current again."""
        token, self._token, self._lease, self._work = self._token, None, None, None
        if token is not None:
            current.reset(token)


current: ContextVar[Dispatch | None] = ContextVar("current_dispatch", default=None)
"""The innermost dispatch; in a task that a handler started, the dispatch of that handler, open or ended."""

_get_current = current.get


def parent_of(dispatch: Dispatch) -> Dispatch | None:
    """The dispatch that this one was started from, if any."""
    return getattr(dispatch, "_parent", None)


def enclosing(dispatch: Dispatch) -> Iterator[Dispatch]:
    """A dispatch and the dispatches around it, innermost first."""
    around: Dispatch | None = dispatch
    while around is not None:
        yield around
        around = parent_of(around)


def running() -> Dispatch | None:
    """The open dispatch of the calling task, if any."""
    dispatch = current.get()
    return dispatch if dispatch is not None and dispatch._is_running_here() else None


def current_message() -> Any:
    """The message that the calling task is handling; None if it handles none."""
    dispatch = running()
    return None if dispatch is None else dispatch._message


def current_bus() -> Any:
    """The bus of the message that is being handled, also in tasks that its handler started; None if there is none."""
    dispatch = _get_current()
    return None if dispatch is None or dispatch._lease is None else dispatch._lease.bus
