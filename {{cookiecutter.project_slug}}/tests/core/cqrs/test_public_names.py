import re
from pathlib import Path

import pytest

import app.core.cqrs as cqrs

PROMISED = """
    ICommand IQuery DomainEvent AggregateRoot OperationMetadata
    BaseCommandHandler BaseQueryHandler BaseEventHandler
    command_handler query_handler event_handler transactional authorize cached_query invalidates mark_stale
    retry_on_failure idempotent validate_input
    OperationResult CommandResult QueryResult OperationStatus Pagination CacheInfo
    CQRSError BadRequestError CommandValidationError QueryValidationError AuthenticationError AuthorizationError
    ResourceNotFoundError ConcurrencyError ConflictError BusinessRuleViolationError RateLimitedError
    HandlerTimeoutError ServiceUnavailableError TransientError DuplicateHandlerError
    CommandHandlerNotFoundError QueryHandlerNotFoundError
    CQRSBus get_cqrs_bus initialize_cqrs_bus shutdown_cqrs_bus PipelineBehavior
    Scope UnitOfWork Cache AccessPolicy Clock
""".split()


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_name_is_public(name: str) -> None:
    assert name in cqrs.__all__
    assert hasattr(cqrs, name)


def test_the_list_is_complete_and_holds_nothing_twice() -> None:
    assert len(set(cqrs.__all__)) == len(cqrs.__all__)
    imported = {name for name in vars(cqrs) if not name.startswith("_")}
    modules = {name for name, value in vars(cqrs).items() if type(value).__name__ == "module"}
    assert imported - modules == set(cqrs.__all__)


def test_the_map_names_every_module_and_no_other() -> None:
    folder = Path(cqrs.__file__).parent
    real = {path.stem for path in folder.glob("*.py")} | {f"{path.parent.name}/" for path in folder.glob("*/*.py")}
    rows = [line for line in (cqrs.__doc__ or "").splitlines() if "  " in line.strip()]
    named = {word for line in rows for word in re.split(r",? +", line[:21].strip()) if word}
    assert named == real - {"__init__"}, "the map has to tell where to look"


def test_every_public_thing_says_what_it_is() -> None:
    silent = [name for name, value in vars(cqrs).items() if isinstance(value, type) and not value.__doc__]
    assert silent == []
