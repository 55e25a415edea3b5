"""The order of the pipeline steps, and their composition into one compiled pipeline per message type."""

from collections.abc import Callable, Coroutine
from types import FunctionType, MethodType
from typing import Any

import structlog

from app.core.cqrs.attempt import answering, attempt, handling, returned_by
from app.core.cqrs.dispatch import Dispatch, Lease, current
from app.core.cqrs.errors import ConfigurationError, CQRSError, ServiceUnavailableError
from app.core.cqrs.follow_up import following
from app.core.cqrs.groups import STANDING_FOR_OTHERS, as_one
from app.core.cqrs.messages import name_of
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.authorize import authentication, authorisation
from app.core.cqrs.policies.cached_query import caching
from app.core.cqrs.policies.deadline import deadline
from app.core.cqrs.policies.idempotent import idempotency
from app.core.cqrs.policies.invalidates import invalidation
from app.core.cqrs.policies.once import receiving
from app.core.cqrs.policies.retry_on_failure import retry
from app.core.cqrs.policies.transactional import Transactional, transaction
from app.core.cqrs.policies.validate_input import validation
from app.core.cqrs.results import SUCCEEDED, CommandResult, OperationResult, Outcome, QueryResult, as_result
from app.core.cqrs.status import OperationStatus
from app.core.cqrs.work import refuse_in_query, refuse_in_task, work_of

logger = structlog.get_logger(__name__)


def tracing(plan: Plan, proceed: Step) -> Step:
    """Wrap the pipeline in a span, if the bus has a tracer."""
    if plan.ports.tracer is None:
        return proceed
    from app.core.cqrs.middleware.tracing import traced

    return traced(plan, proceed, plan.ports.tracer)


def middleware(plan: Plan, proceed: Step) -> Step:
    """Wrap the rest of the pipeline in the middleware, outermost first; each gets the rest as `next_handler`."""
    for wrapper in reversed(plan.middlewares):
        proceed = _with_own_code(_surrounded(wrapper, proceed))
    return proceed


def _surrounded(wrapper: Any, proceed: Step) -> Step:
    """Wrap the rest of the pipeline; `next_handler` is a bound method, because that is the cheapest callable."""
    return lambda message: wrapper(message, MethodType(proceed, message))


ORDER: tuple[Callable[[Plan, Step], Step], ...] = (
    tracing,
    middleware,
    answering,
    following,
    deadline,
    authentication,
    validation,
    authorisation,
    caching,
    retry,
    attempt,
    transaction,
    idempotency,
    receiving,
    invalidation,
)
"""The steps around `handling`, outermost first, inside the error boundary. A step with nothing to do returns the rest
unchanged, so an undeclared policy costs nothing. docs/decisions explains the position of each step."""


def compile_steps(plan: Plan) -> tuple[Step, list[str]]:
    """Compile the pipeline of a plan. Returns it with the names of its steps, outermost first."""
    step, names = _with_own_code(handling(plan)), [handling.__name__]
    for wrap in reversed(ORDER):
        wrapped = wrap(plan, step)
        if wrapped is not step:
            names.insert(0, wrap.__name__)
            step = _with_own_code(wrapped)
    return step, names


def compile_dispatch(plan: Plan) -> Callable[[Any], Coroutine[Any, Any, Any]]:
    """Compile the function that the bus runs for each message of the plan's type: a pipeline in an error boundary.

    An outermost dispatch returns every outcome as a result. A nested dispatch raises its failure, so that the outer
    transaction cannot commit half of the work.
    """
    run, _ = compile_steps(plan)
    run_inside, _ = compile_steps(plan.inside())
    bus, result_type, expects_result = plan.bus, plan.result_type, bool(plan.middlewares)
    get_current, set_current, reset_current = current.get, current.set, current.reset
    is_command, dispatched = plan.kind is Kind.COMMAND, f"dispatched {plan.message_type.__name__}"

    async def dispatch(message: Any) -> Any:
        outer = get_current()
        if outer is not None:
            if outer._is_running_here():
                return await dispatch_inside(plan, run_inside, message, outer)
            if is_command:
                refuse_in_task(outer, dispatched)
            message.metadata  # noqa: B018  # create it while its cause, the dispatch that started this task, is current
        result = result_type()
        result._message = message
        result._lease = bus.lease
        result._token = set_current(result)
        try:
            answer = await run(message)
        except Exception as error:
            return failure(plan, message, as_one(error))
        except STANDING_FOR_OTHERS as error:
            return failure(plan, message, as_one(error))
        finally:
            reset_current(result._token)
            result._token = result._lease = None
        answered = answer.__class__
        if answered is CommandResult or answered is QueryResult or answered is OperationResult:
            return answer if answer._message is message else as_result(answer, result_type, message)
        if expects_result:
            return failure(plan, message, _no_result(plan, answer))
        result._data = answer
        result._outcome = SUCCEEDED
        return result

    return _with_own_code(dispatch)


def _with_own_code(step: Step) -> Step:
    """Copy the step with a code object of its own.

    CPython's adaptive interpreter specialises a code object for the types that it processes. If all messages shared
    one, it would process too many types, and each dispatch would be slower the more message types there are.
    """
    if not isinstance(step, FunctionType):
        return step
    own: Any = FunctionType(step.__code__.replace(), step.__globals__, step.__name__, None, step.__closure__)
    return own  # type: ignore[no-any-return]


async def dispatch_inside(plan: Plan, run: Step, message: Any, outer: Dispatch) -> OperationResult[Any]:
    """Run a nested dispatch: it joins the work of the outer dispatch, and raises its failure."""
    if plan.kind is Kind.COMMAND:
        refuse_in_query(outer, f"dispatched {plan.message_type.__name__}")
    inner = Dispatch()
    inner._parent, inner._work = outer, work_of(outer)
    inner._open(outer._lease or Lease(plan.bus), message)
    try:
        answer = await run(message)
        if plan.middlewares and not isinstance(answer, OperationResult):
            raise _no_result(plan, answer)
        result = as_result(answer, plan.result_type, message)
        if result.is_failure:
            raise result.to_error()
        return result
    except Exception as error:
        one = as_one(error)
        _doom(plan, outer, one)
        if one is error:
            raise
    except BaseException as error:
        try:
            one = as_one(error)
        except BaseException:
            _doom(plan, outer, _interrupted(plan))
            raise
        _doom(plan, outer, one)
    finally:
        inner._close()
    raise one


def _doom(plan: Plan, outer: Dispatch, error: Exception) -> None:
    """Prevent the commit of what a failed command did, even if the outer handler catches the failure."""
    work = work_of(outer)
    if plan.kind is not Kind.COMMAND or work is None or work.unit is None:
        return
    policy = plan.policy(Transactional)
    if policy is None or not policy.commits_despite(error):
        work.unit.doom(error)


def _interrupted(plan: Plan) -> ServiceUnavailableError:
    return ServiceUnavailableError(f"{plan.message_type.__name__} was interrupted before it was done: try again.")


def failure(plan: Plan, message: Any, error: Exception) -> OperationResult[Any]:
    """Convert an error to a result. Details of an unexpected error are logged in full, and not sent to the caller."""
    operation_id = message.metadata.operation_id
    if isinstance(error, CQRSError):
        error.operation_id = operation_id
        if (returned := returned_by(error, message)) is not None:
            return returned
        if error.status is not OperationStatus.FAILED:
            return plan.result_type.of(None, message, Outcome(error.status, error.details, error.message))
    logger.error(
        "operation_failed",
        message_name=name_of(message),
        operation_id=operation_id,
        correlation_id=message.metadata.correlation_id,
        user_id=message.metadata.user_id,
        traceparent=message.metadata.traceparent,
        error_type=type(error).__name__,
        exc_info=error,
    )
    sentence = f"Something went wrong on our side. Please tell us the operation id: {operation_id}."
    if isinstance(error, ConfigurationError):
        sentence = error.message
    return plan.result_type.of(None, message, Outcome(OperationStatus.FAILED, {}, sentence))


def _no_result(plan: Plan, answer: Any) -> ConfigurationError:
    return ConfigurationError(
        f"A middleware around {plan.message_type.__name__} returned {answer!r}: "
        "it has to return what next_handler() gives it, or a result of its own."
    )
