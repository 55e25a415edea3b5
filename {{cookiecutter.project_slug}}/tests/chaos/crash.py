"""Points at which a request can have the service killed, wrapped around it from outside: production has none."""

import os
import signal
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.cqrs.testing import CrashPoint
from app.persistence.unit_of_work import SqlUnitOfWork

HEADER = "x-crash-at"
POINTS = tuple(CrashPoint)
_wanted: ContextVar[str] = ContextVar("crash_at", default="")


def crash(point: str) -> None:
    """kill -9 of this very process, if the request that is being answered asked for it."""
    if point and point == _wanted.get():
        os.kill(os.getpid(), signal.SIGKILL)


def around(owner: type[Any], method: str, before: str = "", after: str = "") -> None:
    """Let an asynchronous method be a crash point before or after its work."""
    original: Callable[..., Any] = getattr(owner, method)

    @wraps(original)
    async def crashing(*args: Any, **options: Any) -> Any:
        crash(before)
        done = await original(*args, **options)
        crash(after)
        return done

    setattr(owner, method, crashing)


def install(*handlers: type[Any]) -> None:
    """Put the points into place, around these handlers and the unit of work."""
    for handler in handlers:
        around(handler, "_handle", "before_handler", "after_handler")
    around(SqlUnitOfWork, "record", after="after_event_rows")
    around(SqlUnitOfWork, "commit", after="after_commit")


class CrashPoints:
    """Reads from a request where to crash, and is itself the last point: when the answer is about to be sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or do not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _wanted.set(dict(scope["headers"]).get(HEADER.encode(), b"").decode())

        async def send_unless_killed(message: Message) -> None:
            crash("before_answer")
            await send(message)

        await self._app(scope, receive, send_unless_killed)
