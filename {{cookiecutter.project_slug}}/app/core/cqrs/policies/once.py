"""An after-commit reaction to a stored event has its effect once, however often the event comes."""

from typing import Any

from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.ports import UnitsOfWork
from app.core.cqrs.work import current_work


def receiving(plan: Plan, proceed: Step) -> Step:
    """Pass over a reaction that has had the event.

    In a transaction that is noted as its first write, so that effect and note are stored together. Without one it
    is noted afterwards: after a crash in between, the reaction runs again.
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
