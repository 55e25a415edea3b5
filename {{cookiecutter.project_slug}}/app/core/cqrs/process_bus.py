"""The process-wide bus, for code that has no better way to get a bus."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.decorators import declared_handlers

_bus: CQRSBus | None = None
_lent: list[CQRSBus] = []


def get_cqrs_bus() -> CQRSBus:
    """The bus of this process, created on first use. Usable as a FastAPI dependency."""
    return _bus if _bus is not None else initialize_cqrs_bus()


def initialize_cqrs_bus(allow_handler_override: bool = False) -> CQRSBus:
    """Create a new bus for this process, with all handlers that decorators have declared for registration so far.

    Args:
        allow_handler_override: let a second handler of a message replace the first, instead of refusing it.

    Raises:
        DuplicateHandlerError: if two of them handle the same message.
        PolicyError: if a policy on one of them cannot work.
    """
    bus = CQRSBus(allow_handler_override)
    for handler in declared_handlers:
        bus.register(handler)
    return use_cqrs_bus(bus)


def use_cqrs_bus(bus: CQRSBus) -> CQRSBus:
    """Make this bus the bus of the process, and shut down the one that it replaces."""
    global _bus
    if _bus is not None and _bus is not bus:
        _bus.shutdown()
    _bus = bus
    return bus


@contextmanager
def lent_cqrs_bus(bus: CQRSBus) -> Iterator[None]:
    """Make the bus of a service the bus of the process while the service runs.

    If several services run in one process, the latest one wins. Each service shuts down its own bus.
    """
    global _bus
    _lent.append(bus)
    _bus = bus
    try:
        yield
    finally:
        _lent.remove(bus)
        if _bus is bus:
            _bus = _lent[-1] if _lent else None


def shutdown_cqrs_bus() -> None:
    """Shut down the bus of this process: it takes no more messages, and the next use creates a new one."""
    global _bus
    if _bus is not None:
        _bus.shutdown()
    _bus = None
