"""`@transactional`: all changes of an attempt are stored, or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.cqrs.closing import unhurt
from app.core.cqrs.errors import ConfigurationError, CQRSError, HandlerTimeoutError, ServiceUnavailableError
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import K, Policy, record, refuse
from app.core.cqrs.targets import require_arguments
from app.core.cqrs.work import Work, current_work

ISOLATION_LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE")
"""All isolation levels, from the weakest to the strongest."""

DEFAULT_LEVEL = "READ COMMITTED"
"""The level that a handler without a level can rely on, with any database."""


@dataclass(frozen=True)
class Transactional(Policy):
    """Recorded by `transactional`."""

    isolation_level: str | None
    rollback_on: tuple[type[BaseException], ...] | None
    commit_on_success: bool

    def check(self, plan: Plan) -> None:
        if plan.kind is Kind.QUERY:
            raise refuse(plan, "@transactional is for commands and events: a query changes nothing.")
        if self.isolation_level is None:
            return
        if self.isolation_level not in ISOLATION_LEVELS:
            raise refuse(
                plan, f"{self.isolation_level} is no isolation level; there are {', '.join(ISOLATION_LEVELS)}."
            )
        if plan.ports.units is not None:
            plan.ports.units.check(self.isolation_level)

    def commits_despite(self, error: Exception) -> bool:
        """Whether the work done before this error is committed."""
        return (
            self.rollback_on is not None
            and isinstance(error, CQRSError)
            and not isinstance(error, (*self.rollback_on, *ALWAYS_ROLLED_BACK))
            and not error.must_roll_back
        )


ALWAYS_ROLLED_BACK = (HandlerTimeoutError, ServiceUnavailableError, ConfigurationError)


def transactional(
    isolation_level: str | None = None,
    rollback_on: Sequence[type[BaseException]] | None = None,
    commit_on_success: bool = True,
) -> Callable[[K], K]:
    """Run the handler and every operation that it dispatches in one transaction.

    Args:
        isolation_level: READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE, ...; None: the database's default.
        rollback_on: None: any error rolls back. A list: these errors roll back; other domain errors commit and
            then propagate. Cancellation, timeouts, database errors and failed results always roll back.
        commit_on_success: False: a dry run, in which everything is executed, answered and rolled back.

    Raises:
        PolicyError: if it is used without parentheses, or on anything but a handler class.
    """
    require_arguments("transactional", "@transactional()", isolation_level)
    level = None if isolation_level is None else isolation_level.upper().replace("_", " ")
    errors = None if rollback_on is None else tuple(rollback_on)
    return lambda handler: record(handler, Transactional(level, errors, commit_on_success))


def transaction(plan: Plan, proceed: Step) -> Step:
    """Open a unit of work for the outermost `@transactional` operation; nested ones join it."""
    policy = plan.policy(Transactional)
    units = plan.ports.units
    if policy is None or units is None:
        return proceed

    async def in_transaction(message: Any) -> Any:
        work = current_work()
        assert work is not None, "the attempt around this has made it"
        if work.unit is not None:
            _require_level(plan, policy, work)
            _require_commit(plan, policy)
            return await proceed(message)
        unit = units.open(policy.isolation_level)
        work.begin(unit, policy.isolation_level)
        try:
            answer = await _keep_or_undo(message, work, policy)
            if policy.commit_on_success:
                await plan.bus.commit(work)
                work.committed = (answer,)
            return answer
        finally:
            await unhurt(unit.close(), message, plan.ports.reports)

    async def _keep_or_undo(message: Any, work: Work, policy: Transactional) -> Any:
        try:
            return await proceed(message)
        except Exception as error:
            if policy.commit_on_success and policy.commits_despite(error):
                await plan.bus.commit(work)
            raise

    return in_transaction


def _require_commit(plan: Plan, policy: Transactional) -> None:
    if not policy.commit_on_success:
        raise ConfigurationError(
            f"{plan.handler_type.__name__} is a dry run, but was dispatched inside a transaction that is kept: "
            "dispatch it outside of one."
        )


def _require_level(plan: Plan, policy: Transactional, work: Work) -> None:
    wanted, given = policy.isolation_level, work.isolation_level or DEFAULT_LEVEL
    if wanted is not None and ISOLATION_LEVELS.index(wanted) > ISOLATION_LEVELS.index(given):
        raise ConfigurationError(
            f"{plan.handler_type.__name__} needs {wanted}, but was dispatched inside a transaction of {given}: "
            "give the outer handler the stronger level."
        )
