"""`savepoint()`: a part of a transaction that can be rolled back on its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.cqrs.dispatch import running
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.work import work_of


@asynccontextmanager
async def savepoint() -> AsyncIterator[None]:
    """Run a part of a handler's transaction that may fail: an error that leaves the block rolls back that part only.

        try:
            async with savepoint():
                await self.bus.execute_command(ReserveTable(...))
        except ConflictError:
            ...  # go on without

    On a bus without units of work there is nothing to roll back.

    Raises:
        ConfigurationError: if the handler has no `@transactional`, or no handler is running.
    """
    dispatch = running()
    work = None if dispatch is None else work_of(dispatch)
    if work is not None and work.unit is not None:
        async with work.unit.savepoint():
            yield
        return
    if dispatch is None or dispatch._lease is None or dispatch._lease.bus.ports.units is not None:
        raise ConfigurationError("savepoint() is a part of a transaction: put @transactional on the handler.")
    yield
