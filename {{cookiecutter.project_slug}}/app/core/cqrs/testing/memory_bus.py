"""A bus for tests of one handler or a few."""

from collections.abc import Iterable, Mapping

from app.core.cqrs import CQRSBus, Grants
from app.core.cqrs.testing.fixed_clock import FixedClock
from app.core.cqrs.testing.memory_cache import MemoryCache
from app.core.cqrs.testing.memory_units import MemoryUnitsOfWork
from app.core.cqrs.testing.simple_scope import SimpleScope
from app.core.cqrs.testing.static_access import StaticAccess


class MemoryBus(CQRSBus):
    """A bus whose ports are in-memory fakes.

    Args:
        handlers: the handler classes to register, for the messages that their decorators declare.
        given: the dependencies of the handlers; they take precedence over the fakes and this bus itself. More can be
            added later: `bus.scope.given.append(repository)`.
        grants: user id -> what the user may do.
        allow_handler_override: as for `CQRSBus`.
    """

    def __init__(
        self,
        *handlers: type,
        given: Iterable[object] = (),
        grants: Mapping[str, Grants] | None = None,
        allow_handler_override: bool = False,
    ) -> None:
        self.clock = FixedClock()
        self.units, self.cache, self.access = MemoryUnitsOfWork(), MemoryCache(self.clock), StaticAccess(grants or {})
        self.scope = SimpleScope(*given, fakes=[self.units, self.cache, self.access, self.clock, self])
        super().__init__(
            allow_handler_override,
            scope=self.scope,
            unit_of_work=self.units,
            cache=self.cache,
            access=self.access,
            clock=self.clock,
        )
        for handler in handlers:
            self.register(handler)
