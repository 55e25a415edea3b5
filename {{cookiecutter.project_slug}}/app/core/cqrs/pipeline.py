"""The order of the pipeline steps, and their composition into one compiled pipeline per message type."""

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from app.core.cqrs.attempt import after_commit, attempt, attempt_of
from app.core.cqrs.errors import CQRSError, ServiceUnavailableError
from app.core.cqrs.handling import handling
from app.core.cqrs.operation import Operation, here, parent_of
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.authorize import Authorize, authentication
from app.core.cqrs.policies.cached_query import CachedQuery
from app.core.cqrs.policies.deadline import deadline
from app.core.cqrs.policies.idempotent import Idempotent, deduplication
from app.core.cqrs.policies.invalidates import Invalidates
from app.core.cqrs.policies.policy import Policy
from app.core.cqrs.policies.retry_on_failure import RetryOnFailure
from app.core.cqrs.policies.transactional import Transactional
from app.core.cqrs.policies.validate_input import validation
from app.core.cqrs.results import SUCCEEDED, CommandResult, OperationResult, QueryResult, as_result
from app.core.cqrs.tasks import STANDING_FOR_OTHERS, as_one


def tracing(plan: Plan, proceed: Step) -> Step:
    """Wrap the pipeline in a span, if the bus has tracing."""
    traced = plan.ports.tracing
    return proceed if traced is None else traced(plan, proceed)


def middleware(plan: Plan, proceed: Step) -> Step:
    """Wrap the rest of the pipeline in the middleware, outermost first; each gets the rest as `next_handler`."""
    if not plan.middlewares:
        return proceed
    if plan.nested:
        proceed = with_own_code(_dooming(plan, proceed))
    proceed = with_own_code(_answering(plan, proceed))
    for wrapper in reversed(plan.middlewares):
        proceed = with_own_code(_surrounded(wrapper, proceed))
    return proceed


ORDER: tuple[Callable[[Plan, Step], Step] | type[Policy], ...] = (
    tracing,
    middleware,
    after_commit,
    deadline,
    authentication,
    validation,
    Authorize,
    CachedQuery,
    RetryOnFailure,
    attempt,
    Transactional,
    Idempotent,
    deduplication,
    Invalidates,
)
"""The steps around `handling`, outermost first, inside the error boundary. A step with nothing to do returns the rest
unchanged, so an undeclared policy costs nothing. docs/pipeline.md explains the position of each step."""


def compile_steps(plan: Plan) -> tuple[Step, list[str]]:
    """Compile the pipeline of a plan. Returns it with the names of its steps and decorators, outermost first."""
    step, names = with_own_code(handling(plan)), [handling.__name__]
    for one in reversed(ORDER):
        wrapped = _wrapped(one, plan, step)
        if wrapped is not step:
            names.insert(0, one.name() if isinstance(one, type) and issubclass(one, Policy) else one.__name__)
            step = with_own_code(wrapped)
    return step, names


def _wrapped(one: Callable[[Plan, Step], Step] | type[Policy], plan: Plan, proceed: Step) -> Step:
    if isinstance(one, type):
        policy: Policy | None = plan.policy(one)
        return proceed if policy is None else policy.step(plan, proceed)
    return one(plan, proceed)


def with_own_code(step: Step) -> Step:
    """Copy the step with a code object of its own.

    CPython's adaptive interpreter specialises a code object for the types that it processes. If all messages shared
    one, it would process too many types, and each dispatch would be slower the more message types there are.
    """
    if not isinstance(step, FunctionType):
        return step
    own: Any = FunctionType(step.__code__.replace(), step.__globals__, step.__name__, None, step.__closure__)
    return own  # type: ignore[no-any-return]


def _surrounded(wrapper: Any, proceed: Step) -> Step:
    """Wrap the rest of the pipeline; `next_handler` is a bound method, because that is the cheapest callable."""
    return lambda message: wrapper(message, MethodType(proceed, message))


def _dooming(plan: Plan, proceed: Step) -> Step:
    """Doom the outer unit of work if a nested command fails, before a middleware can make a success of the failure."""

    async def doom_first(message: Any) -> Any:
        try:
            return await proceed(message)
        except BaseException as error:
            doom_outer(plan, parent_of(here()), error)
            raise

    return doom_first


def doom_outer(plan: Plan, outer: Operation | None, error: BaseException) -> BaseException:
    """Doom the outer unit of work if a nested command failed: it cannot commit even if its handler catches the error.

    Returns:
        The error, reduced by `as_one`.
    """
    one: BaseException
    try:
        one = cause = as_one(error)
    except BaseException as interruption:
        one = interruption
        cause = ServiceUnavailableError(f"{plan.message_type.__name__} was interrupted before it was done: try again.")
    attempt, policy = None if outer is None else attempt_of(outer), plan.policy(Transactional)
    is_kept = policy is not None and policy.commits_despite(cause)
    if plan.kind is Kind.COMMAND and attempt is not None and attempt.unit is not None and not is_kept:
        attempt.unit.doom(cause)
    return one


def _answering(plan: Plan, proceed: Step) -> Step:
    """Return a result to the middleware around this step, also the failed result that a handler returned."""
    result_type = plan.result_type

    async def give_result(message: Any) -> Any:
        try:
            answer = await proceed(message)
        except CQRSError as error:
            if (returned := returned_by(error, message)) is not None:
                return returned
            raise
        except STANDING_FOR_OTHERS as error:
            one = as_one(error)
        else:
            answered = answer.__class__
            if answered is CommandResult or answered is QueryResult or answered is OperationResult:
                is_ours = answered is result_type and answer._message is message
                return answer if is_ours else as_result(answer, result_type, message)
            result = result_type()
            result._data, result._message, result._outcome = answer, message, SUCCEEDED
            return result
        raise one

    return give_result


def returned_by(error: CQRSError, message: Any) -> OperationResult[Any] | None:
    """The failed result behind an error, if the handler of this same message returned one."""
    result = error.returned
    return result if isinstance(result, OperationResult) and result._message is message else None
