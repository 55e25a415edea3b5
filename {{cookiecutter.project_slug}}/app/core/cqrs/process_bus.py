"""The bus of the process, for code that has no better way to get one."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.registry import declared_handlers

_bus: CQRSBus | None = None
_lent: list[CQRSBus] = []


def get_cqrs_bus() -> CQRSBus:
    """The bus of this process; made on first use. As it is, a FastAPI dependency."""
    return _bus if _bus is not None else initialize_cqrs_bus()


def initialize_cqrs_bus(allow_handler_override: bool = False) -> CQRSBus:
    """Make the bus of this process anew, with every handler that a decorator declared so far.

    Raises:
        DuplicateHandlerError: two of them claim one message.
        PolicyError: a policy on one of them cannot work.
    """
    bus = CQRSBus(allow_handler_override)
    for handler in declared_handlers:
        bus.register(handler)
    return use_cqrs_bus(bus)


def use_cqrs_bus(bus: CQRSBus) -> CQRSBus:
    """Let this bus be the one of the process: a service does so with the one it put together."""
    global _bus
    if _bus is not None and _bus is not bus:
        _bus.shutdown()
    _bus = bus
    return bus


@contextmanager
def lent_cqrs_bus(bus: CQRSBus) -> Iterator[None]:
    """Let the bus of a service be the one of the process while the service runs.

    Of several services in a process it is that of the latest one. None is shut down here: each ends its own.
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
    """End the bus of this process: it takes no more messages, and the next use makes a new one."""
    global _bus
    if _bus is not None:
        _bus.shutdown()
    _bus = None
