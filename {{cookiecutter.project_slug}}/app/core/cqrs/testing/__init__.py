"""For the tests of your handlers: buses on fakes, and what lets you watch and break a bus, a real one too.

Handlers alone, on fakes that are adapters like the real ones but keep everything in memory:

memory_bus      MemoryBus: a bus on all of the fakes
memory_units    MemoryUnitsOfWork: what was committed, in which order, and commits that fail
memory_cache    MemoryCache: a cache that forgets by the clock
static_access   StaticAccess: permissions from a mapping
fixed_clock     FixedClock: time that goes when it is told to
simple_scope    SimpleScope: dependencies from the objects at hand
storage         assert_survives_storage: whether an event comes back from the log as it was raised

Any bus, that of a running service on its database too:

tracked         tracked: what was sent, recorded, published and handled, and when all is quiet
tracked_run     TrackedRun: what `tracked` tells
noted           Sent, Handled: what a run is made of
failures        failing_commits, lost_answers: commits that collide, and commits nobody hears of
crash_points    crash_at: the end of the process at the worst moment
seams           how these get in, without a line for tests in the bus

A test of one handler begins with `bus = MemoryBus(CreateUserHandler, given=[users])`: its dependencies come from
`given`. Afterwards `bus.units.events` holds what was committed, `bus.units.journal` in which order things were done.
A test of a service puts one line around what it does:

    async with tracked(bus) as run:
        with failing_commits(bus, times=2):
            result = await bus.execute_command(CreateUserCommand(...))
    assert result.is_success
    assert "SendWelcomeHandler" in run.handled[UserCreated]
"""

from app.core.cqrs.testing.crash_points import CrashPoint, crash_at, kill_process
from app.core.cqrs.testing.failures import FailingCommits, failing_commits, lost_answers
from app.core.cqrs.testing.fixed_clock import FixedClock
from app.core.cqrs.testing.memory_bus import MemoryBus
from app.core.cqrs.testing.memory_cache import MemoryCache
from app.core.cqrs.testing.memory_units import MemoryUnit, MemoryUnitsOfWork
from app.core.cqrs.testing.noted import Handled, Sent
from app.core.cqrs.testing.simple_scope import SimpleScope
from app.core.cqrs.testing.static_access import StaticAccess
from app.core.cqrs.testing.storage import assert_survives_storage
from app.core.cqrs.testing.tracked import tracked
from app.core.cqrs.testing.tracked_run import TrackedRun

__all__ = [
    "CrashPoint",
    "FailingCommits",
    "FixedClock",
    "Handled",
    "MemoryBus",
    "MemoryCache",
    "MemoryUnit",
    "MemoryUnitsOfWork",
    "Sent",
    "SimpleScope",
    "StaticAccess",
    "TrackedRun",
    "assert_survives_storage",
    "crash_at",
    "failing_commits",
    "kill_process",
    "lost_answers",
    "tracked",
]
