"""Where tests get into a bus that is put together already.

Ports are compiled into pipelines, so another port would come too late. But pipelines ask their port for a unit of
work each time: a method replaced on that very object is seen at once, and the object stays what it is for everybody
who asks for its class.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.core.cqrs.aggregate import EventRecord
from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.dispatch import current_message
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.ports import UnitOfWork, UnitsOfWork


def replace(owner: object, **methods: Callable[..., Any]) -> None:
    """Let methods of this one object be others from now on."""
    vars(owner).update(methods)


@contextmanager
def replaced(owner: object, **methods: Callable[..., Any]) -> Iterator[None]:
    """Let methods of this one object be others for a while."""
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
    """Let `prepare` have the units of work that are opened meanwhile, before anybody uses them.

    Args:
        units: what opens them.
        prepare: takes each of them.
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
    """What opens the bus's units of work.

    Raises:
        ConfigurationError: nobody does.
    """
    if bus.ports.units is None:
        raise ConfigurationError(
            "This bus has no transactions that could fail: make it with unit_of_work=..., or take a MemoryBus."
        )
    return bus.ports.units
