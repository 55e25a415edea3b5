"""Tools for tests of handlers: a bus on fakes, and helpers that observe any bus or make it fail.

For handlers in isolation, fakes: adapters like the real ones that store everything in memory:

memory_bus      MemoryBus: a bus on all of the fakes
memory_units    MemoryUnitsOfWork: stores commits and the order of operations, and can let commits fail
memory_cache    MemoryCache: a cache whose entries expire by the given clock
static_access   StaticAccess: permissions from a mapping
fixed_clock     FixedClock: a clock that only the test advances
simple_scope    SimpleScope: a container that resolves dependencies from given objects

For any bus, including that of a running service on its database:

tracked         tracked: records what is sent, stored, published and handled, and waits until all is quiet
tracked_run     TrackedRun: the recording of `tracked`
noted           Sent, Handled: the entries of a `TrackedRun`
failures        failing_commits, lost_answers: commits that collide, and commits whose confirmation is lost
crash_points    crash_at: ends the process at a chosen moment
seams           how these helpers intercept a bus that contains no code for tests

A test of one handler begins with `bus = MemoryBus(CreateUserHandler, given=[users])`: its dependencies come from
`given`. Afterwards `bus.units.events` holds the committed events, and `bus.units.journal` the order of operations.
A test of a service wraps its operations in `tracked`:

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
    "crash_at",
    "failing_commits",
    "kill_process",
    "lost_answers",
    "tracked",
]
