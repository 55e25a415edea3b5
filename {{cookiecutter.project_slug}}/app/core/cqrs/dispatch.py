"""The entrances of the pipeline for commands and queries: an outermost dispatch, and a nested one."""

from typing import Any

import structlog

from app.core.cqrs.attempt import attempt_of
from app.core.cqrs.errors import ConfigurationError, CQRSError, OperationStatus
from app.core.cqrs.messages import IQuery, name_of
from app.core.cqrs.operation import Operation, current, enclosing, is_elsewhere, is_in_progress
from app.core.cqrs.pipeline import compile_steps, doom_outer, returned_by, with_own_code
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.results import SUCCEEDED, UNEXPECTED, CommandResult, OperationResult, Outcome, QueryResult, as_result
from app.core.cqrs.tasks import STANDING_FOR_OTHERS, as_one

logger = structlog.get_logger(__name__)


def compile_dispatch(plan: Plan) -> Step:
    """Compile the function that the bus runs for each message of the plan's type: a pipeline in an error boundary.

    An outermost dispatch returns its failure as a result. A nested dispatch raises it; a nested command that fails also
    prevents the commit of the outer transaction (`doom_outer`), which would store half of the work. A closed bus only
    serves running operations and background work.
    """
    run, _ = compile_steps(plan)
    run_inside, _ = compile_steps(plan.inside())
    bus, result_type, expects_result = plan.bus, plan.result_type, bool(plan.middlewares)
    get_current, set_current, reset_current = current.get, current.set, current.reset

    async def dispatch(message: Any) -> Any:
        outer = get_current()
        if outer is not None and (outer._bus is bus or not is_elsewhere(bus, outer)) and outer._is_running_here():
            return await _dispatch_inside(plan, run_inside, message, outer)
        if bus.is_closed and not is_in_progress(bus, outer):
            return _closed(plan, message)
        if outer is not None:
            _enter_from_outside(plan, message, outer)
        # One object is first the current operation and then its result, which saves an allocation.
        result = result_type()
        result._message = message
        result._bus = bus
        result._token = set_current(result)
        bus.running += 1
        try:
            answer = await run(message)
        except (Exception, *STANDING_FOR_OTHERS) as error:
            return _failure(plan, message, as_one(error))
        finally:
            bus.running -= 1
            reset_current(result._token)
            result._token = result._bus = None
        answered = answer.__class__
        if answered is CommandResult or answered is QueryResult or answered is OperationResult:
            return answer if answer._message is message else as_result(answer, result_type, message)
        if expects_result:
            return _failure(plan, message, _no_result(plan, answer))
        result._data = answer
        result._outcome = SUCCEEDED
        return result

    return with_own_code(dispatch)


def _enter_from_outside(plan: Plan, message: Any, cause: Operation) -> None:
    """Check a dispatch by a task that the handler of `cause` started, or by a handler of another bus."""
    if plan.kind is Kind.COMMAND and not is_elsewhere(plan.bus, cause):
        refuse_in_task(cause, f"dispatched {plan.message_type.__name__}")
    _refuse_reused(message, cause)
    message.metadata  # noqa: B018  # it is created while its cause is current


def _refuse_reused(message: Any, sender: Operation) -> None:
    """Raise a ConfigurationError for a message that another operation sent: its metadata names that one's caller."""
    metadata = getattr(message, "_metadata", None)
    origin = metadata and (metadata.causation_id or (metadata.source and metadata.operation_id))
    if origin and all(origin != around._message.metadata.operation_id for around in enclosing(sender)):
        raise reused(message)


def reused(message: object) -> ConfigurationError:
    """The error for a message that was sent before, by another request or operation."""
    return ConfigurationError(
        f"This {type(message).__name__} was sent before, by another request or operation, and carries the user and the "
        "ids of that one: make a new one for each use, and keep none in a constant or a default."
    )


async def _dispatch_inside(plan: Plan, run: Step, message: Any, outer: Operation) -> OperationResult[Any]:
    """Run a nested dispatch, within the attempt of the outer operation if it can join that, and raise its failure."""
    if plan.kind is Kind.COMMAND:
        refuse_in_query(outer, f"dispatched {plan.message_type.__name__}")
    _refuse_reused(message, outer)
    inner = Operation()
    inner._parent, inner._attempt = outer, attempt_of(outer)
    inner._open(plan.bus, message)
    try:
        answer = await run(message)
        if plan.middlewares and not isinstance(answer, OperationResult):
            raise _no_result(plan, answer)
        result = as_result(answer, plan.result_type, message)
        if result.is_failure:
            raise result.to_error()
        return result
    except BaseException as error:
        failure = doom_outer(plan, outer, error)
        if failure is error:
            raise
    finally:
        inner._close()
    raise failure


def refuse_in_query(operation: Operation, what: str) -> None:
    """Raise a ConfigurationError if an operation answers a query, because a query must not change anything."""
    if isinstance(query := operation._message, IQuery):
        raise ConfigurationError(
            f"{type(query).__name__} is a query and {what}: a query changes nothing. Let a command do it after the "
            "query, or make the query a command."
        )


def refuse_in_task(started_by: Operation, what: str) -> None:
    """Raise a ConfigurationError if a running operation around this task answers a query, or has an open transaction.

    Without this check the changes of the task would be stored even if the operation is rolled back, and a failure of
    the task would go unnoticed. So the open transaction cannot commit either.
    """
    for around in enclosing(started_by):
        if around._token is None:
            continue
        refuse_in_query(around, what)
        attempt = attempt_of(around)
        if attempt is not None and attempt.unit is not None and attempt.committed is None:
            error = ConfigurationError(
                f"A task of its own {what}, while the transaction of the handler that started it is open, which it "
                "cannot join: await it in the handler itself, without gather(), create_task() or, in Python 3.11, "
                "wait_for() (asyncio.timeout() makes no task); or start it as an operation of its own that "
                "outlives this one, with background(...)."
            )
            attempt.unit.doom(error)
            raise error


def _failure(plan: Plan, message: Any, error: Exception) -> OperationResult[Any]:
    """Convert an error to a result. An unexpected error is logged; its caller only learns the operation's id."""
    operation_id = message.metadata.operation_id
    if isinstance(error, CQRSError):
        error.operation_id = operation_id
        if (returned := returned_by(error, message)) is not None:
            return returned
        if error.status is not OperationStatus.FAILED:
            return plan.result_type.of(None, message, Outcome.of(error, message))
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
    sentence = error.message if isinstance(error, ConfigurationError) else UNEXPECTED.format(operation_id)
    is_kept = getattr(error, "kept_for", None) is message
    return plan.result_type.of(None, message, Outcome(OperationStatus.FAILED, {}, sentence, is_kept=is_kept))


def _closed(plan: Plan, message: Any) -> OperationResult[Any]:
    """The answer of a bus that is shut down."""
    sentence = "The service is shutting down: send this again, to another instance or a little later."
    return plan.result_type.of(None, message, Outcome(OperationStatus.UNAVAILABLE, {}, sentence))


def _no_result(plan: Plan, answer: Any) -> ConfigurationError:
    return ConfigurationError(
        f"A middleware around {plan.message_type.__name__} returned {answer!r}: "
        "it has to return what next_handler() gives it, or a result of its own."
    )
