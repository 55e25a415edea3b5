"""Inbox pattern: an event handler skips a stored event that it has already processed."""

from typing import Any

from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.ports import UnitsOfWork
from app.core.cqrs.work import current_work


def receiving(plan: Plan, proceed: Step) -> Step:
    """Skip a handler that already processed the event, however often the event is delivered.

    In a transaction, the inbox entry is its first write, so that effect and entry are stored together. Without one,
    the entry is stored afterwards: after a crash in between, the handler runs again.
    """
    units = plan.ports.units
    if plan.kind is not Kind.EVENT or units is None:
        return proceed
    name = plan.name

    async def once(record: Any) -> None:
        if not record.is_stored:
            await proceed(record)
            return
        event_id, work = record.event.event_id, current_work()
        if work is not None and work.unit is not None:
            if await work.unit.receive(event_id, name):
                await proceed(record)
        elif not await units.has_received(event_id, name):
            await proceed(record)
            await _note(units, event_id, name)

    return once


async def _note(units: UnitsOfWork, event_id: Any, name: str) -> None:
    unit = units.open(None)
    try:
        await unit.receive(event_id, name)
        await unit.commit()
    finally:
        await unit.close()
