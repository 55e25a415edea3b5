import pickle
from copy import copy
from typing import Any

import pytest

from app.core.cqrs import (
    AuthorizationError,
    CommandResult,
    ConflictError,
    CQRSError,
    OperationResult,
    OperationStatus,
    QueryResult,
    ResourceNotFoundError,
    ServiceUnavailableError,
)
from app.core.cqrs.errors import ERROR_OF_STATUS
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, handler_of, raising

SUCCESSES = ["SUCCESS", "CREATED", "ACCEPTED", "NO_CONTENT"]
FAILURES = [status.name for status in OperationStatus if status.name not in SUCCESSES]


def test_a_success_has_data() -> None:
    result = CommandResult[int].success(7)
    assert (result.data, result.status, result.errors, result.error_message) == (7, OperationStatus.SUCCESS, {}, None)
    assert result.is_success
    assert not result.is_failure
    assert result.unwrap() == 7
    assert result.metadata is None


@pytest.mark.parametrize("name", SUCCESSES)
def test_every_success_can_be_made(name: str) -> None:
    assert OperationResult[int].success(1, OperationStatus[name]).is_success


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_can_be_made_and_is_raised_as_its_error(name: str) -> None:
    status = OperationStatus[name]
    result = QueryResult[int].failure(status, {"field": "is wrong"}, "No.")
    assert result.is_failure
    assert result.data is None
    with pytest.raises(ERROR_OF_STATUS[status], match="No.") as raised:
        result.unwrap()
    assert raised.value.status is status
    assert raised.value.details == {"field": "is wrong"}


def test_statuses_are_not_mixed_up() -> None:
    with pytest.raises(ValueError, match="use failure"):
        OperationResult[int].success(1, OperationStatus.NOT_FOUND)
    with pytest.raises(ValueError, match="use success"):
        OperationResult[int].failure(OperationStatus.CREATED)


def test_a_failure_needs_no_more_than_a_status() -> None:
    result = OperationResult[int].failure(OperationStatus.CONFLICT)
    assert (result.errors, result.error_message) == ({}, None)
    with pytest.raises(ConflictError, match="conflict"):
        result.unwrap()


def test_shorthands() -> None:
    wrong = CommandResult[int].validation_error({"name": "is empty"})
    assert (wrong.status, wrong.errors) == (OperationStatus.VALIDATION_ERROR, {"name": "is empty"})
    assert CommandResult[int].validation_error({}, "Look again.").error_message == "Look again."
    missing = QueryResult[int].not_found("There is no user 7.")
    assert (missing.status, missing.error_message) == (OperationStatus.NOT_FOUND, "There is no user 7.")


@pytest.mark.parametrize("attribute", ["data", "status", "errors", "error_message", "metadata", "other"])
def test_a_result_cannot_be_changed(attribute: str) -> None:
    with pytest.raises(AttributeError):
        setattr(CommandResult[int].success(7), attribute, 8)


def test_what_one_result_shows_is_no_way_into_another() -> None:
    CommandResult[int].success(7).errors["x"] = 1
    assert CommandResult[int].success(7).errors == {}


def test_results_are_compared_by_what_they_say() -> None:
    assert CommandResult[int].success(7) == CommandResult[int].success(7)
    temporary = CommandResult[int].failure(OperationStatus.CONFLICT).with_outcome(is_temporary=True)
    assert temporary == CommandResult[int].failure(OperationStatus.CONFLICT), "what nobody sees makes no difference"
    assert CommandResult[int].success(7) != CommandResult[int].success(8)
    assert CommandResult[int].success(7) != QueryResult[int].success(7)
    assert CommandResult[int].success(7) != 7
    with pytest.raises(TypeError, match="unhashable"):
        hash(CommandResult[int].success(7))


def test_a_result_shows_itself() -> None:
    assert repr(CommandResult[int].success(7)) == "CommandResult(SUCCESS, data=7)"
    assert repr(QueryResult[int].not_found("No.")) == "QueryResult(NOT_FOUND, 'No.', errors={})"


@pytest.mark.parametrize("duplicate", [copy, lambda r: pickle.loads(pickle.dumps(r))])
def test_a_result_can_be_copied(duplicate: Any) -> None:
    result = QueryResult[int].not_found("No.")
    assert duplicate(result) == result


async def test_a_result_knows_the_metadata_of_its_message(cqrs_bus: MemoryBus) -> None:
    cqrs_bus.register(handler_of(Do, lambda command: "done"))
    cqrs_bus.register(handler_of(Ask, raising(ResourceNotFoundError("No."))))
    command, query = Do(), Ask()
    assert (await cqrs_bus.execute_command(command)).metadata is command.metadata
    failed = await cqrs_bus.execute_query(query)
    assert failed.metadata is query.metadata
    with pytest.raises(ResourceNotFoundError) as raised:
        failed.unwrap()
    assert raised.value.operation_id == query.metadata.operation_id


async def test_pagination_and_cache_info_are_for_queries_and_affected_entities_for_commands(
    cqrs_bus: MemoryBus,
) -> None:
    cqrs_bus.register(handler_of(Do, lambda command: "done"))
    cqrs_bus.register(handler_of(Ask, lambda query: "answer"))
    done, answered = await cqrs_bus.execute_command(Do()), await cqrs_bus.execute_query(Ask())
    assert done.affected_entities is None
    assert (answered.pagination, answered.cache_info) == (None, None)
    assert not hasattr(done, "pagination")
    assert not hasattr(answered, "affected_entities")


def test_each_failure_has_one_error() -> None:
    assert {status.name for status in ERROR_OF_STATUS} == set(FAILURES)
    assert ERROR_OF_STATUS[OperationStatus.FAILED] is CQRSError
    assert ERROR_OF_STATUS[OperationStatus.UNAVAILABLE] is ServiceUnavailableError
    assert ERROR_OF_STATUS[OperationStatus.FORBIDDEN] is AuthorizationError
