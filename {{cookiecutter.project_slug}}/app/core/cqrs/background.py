"""`background(...)`: what a handler starts, and does not wait for."""

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
"""The event loop itself forgets tasks that nobody holds."""


def background(work: Coroutine[Any, Any, Any]) -> None:
    """Start something that outlives the operation: `background(self.bus.execute_command(SendReport(...)))`.

    What it dispatches are operations of their own, for the same caller, with transactions and attempts of their own.
    They wait for nothing, and happen whether this operation succeeds or not: what has to follow from it reacts to its
    event. A failure is logged and reported. `CQRSBus.aclose` waits for it, but a crash of the process ends it.

    Args:
        work: a coroutine that nobody has awaited; it must not use the session of this operation.

    Raises:
        ConfigurationError: no handler is running.
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
    """Whether the caller is what a handler started, and not an operation of that yet."""
    dispatch = current.get()
    return dispatch is not None and dispatch._token is None and dispatch._lease is not None


async def _logged(work: Coroutine[Any, Any, Any], dispatch: Dispatch) -> None:
    try:
        answer = await work
        if isinstance(answer, OperationResult) and answer.is_failure:
            raise answer.to_error()
    except Exception as error:
        reports = dispatch._lease.bus.ports.reports  # type: ignore[union-attr]  # it holds it
        tell_of("background_failed", error, dispatch._message, reports)
    finally:
        dispatch._lease = None  # which a bus that ends waits for
