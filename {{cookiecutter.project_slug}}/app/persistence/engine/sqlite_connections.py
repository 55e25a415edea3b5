"""Connections to SQLite that keep neither a lock nor a thread when whoever uses them is cancelled."""

import asyncio
import sqlite3
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import aiosqlite


class Connection(sqlite3.Connection):
    """A connection that closes its cursors with itself.

    SQLite keeps a closed connection, and the lock it holds, while one of its statements is read only in part. A
    ROLLBACK cannot come first: after an interruption it is interrupted, too, until that statement is closed.
    SQLAlchemy makes all cursors with `cursor()`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        super().__init__(*args, **options)

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        """Create a cursor, and register it."""
        cursor = super().cursor(factory)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """Close all cursors, then the connection, which rolls back."""
        for cursor in tuple(self._cursors):
            cursor.close()
        super().close()


async def connect(pragmas: tuple[str, ...], *args: Any, **options: Any) -> aiosqlite.Connection:
    """Open a connection. If the caller is cancelled meanwhile, it is closed; the driver alone would leave it open."""
    opening = asyncio.ensure_future(_opened(pragmas, *args, **options))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.shield(_closed(opening))  # it goes on if the caller is cancelled once more
        raise


async def _closed(opening: asyncio.Future[aiosqlite.Connection]) -> None:
    await asyncio.wait([opening])
    if opening.exception() is None:
        await opening.result().close()


async def _opened(pragmas: tuple[str, ...], *args: Any, **options: Any) -> aiosqlite.Connection:
    connecting = aiosqlite.connect(*args, **options)
    connecting._thread.daemon = True  # else it keeps a process alive that ends without closing its engines
    connection = await connecting
    try:
        for pragma in pragmas:
            await connection.execute_fetchall(pragma)
    except BaseException:
        await connection.close()
        raise
    return connection


def interrupt(connection: Any, record: Any, error: BaseException | None) -> None:
    """Interrupt what a connection does that is given up: its statement would go on, and the next caller wait for it."""
    with suppress(sqlite3.Error, ValueError):  # it is closed already
        connection.run_async(lambda driver: driver.interrupt())
