import re
from collections.abc import MutableMapping
from typing import Any

import pytest

import app.core.cqrs as cqrs
from app.core.cqrs import CQRSError, ICommand, OperationStatus, TransientError, errors, retry_on_failure
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Do, handler_of, raising

STATUS_OF = {
    "BadRequestError": "BAD_REQUEST",
    "CommandValidationError": "VALIDATION_ERROR",
    "QueryValidationError": "VALIDATION_ERROR",
    "AuthenticationError": "UNAUTHENTICATED",
    "AuthorizationError": "FORBIDDEN",
    "ResourceNotFoundError": "NOT_FOUND",
    "ConcurrencyError": "CONFLICT",
    "ConflictError": "CONFLICT",
    "BusinessRuleViolationError": "BUSINESS_RULE",
    "RateLimitedError": "RATE_LIMITED",
    "HandlerTimeoutError": "TIMEOUT",
    "ServiceUnavailableError": "UNAVAILABLE",
    "TransientError": "UNAVAILABLE",
}


@pytest.mark.parametrize(("name", "status"), STATUS_OF.items())
async def test_a_raised_error_ends_as_its_status(cqrs_bus: MemoryBus, name: str, status: str) -> None:
    cqrs_bus.register(handler_of(Do, raising(getattr(cqrs, name)("Because.", details={"field": "is wrong"}))))
    command = Do()
    result = await cqrs_bus.execute_command(command)
    assert result.status is OperationStatus[status]
    assert (result.error_message, result.errors) == ("Because.", {"field": "is wrong"})


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), TimeoutError("secret"), CQRSError("secret")])
async def test_a_bug_is_logged_in_full_and_told_to_nobody(
    cqrs_bus: MemoryBus, logs: list[MutableMapping[str, Any]], error: Exception
) -> None:
    cqrs_bus.register(handler_of(Do, raising(error)))
    command = Do()
    result = await cqrs_bus.execute_command(command)
    assert result.status is OperationStatus.FAILED
    assert command.metadata.operation_id in str(result.error_message)
    assert "secret" not in repr(result)
    (entry,) = logs
    assert entry["log_level"] == "error"
    assert entry["exc_info"] is error
    assert entry["operation_id"] == command.metadata.operation_id
    assert (entry["message_name"], entry["error_type"]) == ("Do", type(error).__name__)


async def test_what_is_expected_is_no_error_in_the_log(
    cqrs_bus: MemoryBus, logs: list[MutableMapping[str, Any]]
) -> None:
    cqrs_bus.register(handler_of(Do, raising(cqrs.ConflictError("Taken."))))
    await cqrs_bus.execute_command(Do())
    assert logs == []


async def test_spent_attempts_end_as_unavailable_with_what_the_error_said(cqrs_bus: MemoryBus) -> None:
    error = TransientError("Busy.", details={"retry_after": 7})
    cqrs_bus.register(handler_of(Do, raising(error), retry_on_failure(max_attempts=2, delay_seconds=0)))
    result = await cqrs_bus.execute_command(Do())
    assert (result.status, result.errors) == (OperationStatus.UNAVAILABLE, {"retry_after": 7})


async def test_an_error_as_plain_data(cqrs_bus: MemoryBus) -> None:
    error = cqrs.ConflictError("Taken.", details={"email": "is taken"})
    assert (error.message, error.details, error.operation_id, str(error)) == (
        "Taken.",
        {"email": "is taken"},
        None,
        "Taken.",
    )
    cqrs_bus.register(handler_of(Do, raising(error)))
    command: ICommand[str] = Do()
    await cqrs_bus.execute_command(command)
    assert error.to_dict() == {
        "error": "ConflictError",
        "status": "conflict",
        "message": "Taken.",
        "details": {"email": "is taken"},
        "operation_id": command.metadata.operation_id,
    }


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn = set(re.findall(r"\w+Error\b", errors.__doc__ or ""))
    real = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CQRSError)}
    assert drawn == real
    for line in (errors.__doc__ or "").splitlines():
        if found := re.search(r"(\w+Error) +([A-Z_]{4,})$", line):
            assert getattr(errors, found[1]).status.name == found[2]
