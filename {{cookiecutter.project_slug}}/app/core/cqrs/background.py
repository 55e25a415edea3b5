"""`background(...)`: work that a handler starts and does not wait for."""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

from app.core.cqrs.closing import tell_of
from app.core.cqrs.dispatch import Dispatch, current
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.messages import name_of
from app.core.cqrs.results import OperationResult

_tasks: set[asyncio.Task[None]] = set()
"""Strong references to the running tasks: the event loop itself holds only weak ones."""


def background(work: Coroutine[Any, Any, Any]) -> None:
    """Start work that outlives the operation: `background(self.bus.execute_command(SendReport(...)))`.

    Messages that the work dispatches run as independent operations of the same caller, each with its own transaction
    and attempts. They do not wait for this operation, and run whether it succeeds or not: work that must follow from
    its success belongs in a handler of its event. A failure is logged and reported. `CQRSBus.aclose` waits for the
    work, but a crash of the process ends it.

    Args:
        work: a coroutine that has not been awaited; it must not use the session of this operation.

    Raises:
        ConfigurationError: if no handler is running.
    """
    started_by = current.get()
    if started_by is None or started_by._lease is None:
        work.close()
        raise ConfigurationError(
            "background() is for handlers, while they run; elsewhere, await the operation or keep a task of it."
        )
    outliving = Dispatch()
    outliving._lease, outliving._message, outliving._token = started_by._lease, started_by._message, None
    context = copy_context()
    context.run(current.set, outliving)
    name = f"background of {name_of(started_by._message)}"
    task = asyncio.get_running_loop().create_task(_logged(work, outliving), name=name, context=context)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def is_in_background() -> bool:
    """Whether the caller is background work of a handler, outside of the operations which that work dispatches."""
    dispatch = current.get()
    return dispatch is not None and dispatch._token is None and dispatch._lease is not None


async def _logged(work: Coroutine[Any, Any, Any], dispatch: Dispatch) -> None:
    try:
        answer = await work
        if isinstance(answer, OperationResult) and answer.is_failure:
            raise answer.to_error()
    except Exception as error:
        reports = dispatch._lease.bus.ports.reports  # type: ignore[union-attr]  # held until the end
        tell_of("background_failed", error, dispatch._message, reports)
    finally:
        dispatch._lease = None  # `CQRSBus.aclose` waits for its release
