"""Replaces methods of a bus that is already assembled, and of its ports.

Ports are compiled into pipelines, so another port would come too late. But pipelines ask their port for each unit of
work: a method replaced on that same object takes effect at once, and the object keeps its class for code that checks
it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.core.cqrs import ConfigurationError, CQRSBus, EventRecord, UnitOfWork, UnitsOfWork
from app.core.cqrs.operation import current_message


def replace(owner: object, **methods: Callable[..., Any]) -> None:
    """Replace methods of this one object permanently."""
    vars(owner).update(methods)


@contextmanager
def replaced(owner: object, **methods: Callable[..., Any]) -> Iterator[None]:
    """Replace methods of this one object inside the context."""
    own = vars(owner)
    before = {name: own[name] for name in methods if name in own}
    own.update(methods)
    try:
        yield
    finally:
        for name in methods:
            del own[name]
        own.update(before)


@contextmanager
def every_unit(units: UnitsOfWork, prepare: Callable[[UnitOfWork], None], of: type = object) -> Iterator[None]:
    """Call `prepare` with each unit of work that is opened inside the context, before it is used.

    Args:
        units: the port that opens them.
        prepare: takes each unit of work.
        of: the class of the commands or events that they are opened for; `object` for all.
    """
    open_unit = units.open

    def open_prepared(isolation_level: str | None) -> UnitOfWork:
        unit = open_unit(isolation_level)
        if isinstance(_handled_now(), of):
            prepare(unit)
        return unit

    with replaced(units, open=open_prepared):
        yield


def _handled_now() -> object:
    """The command or the event that is being handled; None outside of the bus."""
    message = current_message()
    return message.event if isinstance(message, EventRecord) else message


def units_of(bus: CQRSBus) -> UnitsOfWork:
    """The port that opens the bus's units of work.

    Raises:
        ConfigurationError: if the bus has none.
    """
    if bus.ports.units is None:
        raise ConfigurationError(
            "This bus has no transactions that could fail: make it with unit_of_work=..., or take a MemoryBus."
        )
    return bus.ports.units
