"""Aggregates that have no row: their stream in the event log is all there is of them."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CQRSBus, OperationStatus
from app.core.cqrs.testing import failing_commits
from app.persistence.event_tables import event_log
from tests.lifespan import service_with
from tests.persistence.accounts import AskBalance, Book, BookTogether, OpenAccount, OpenAndRegret, OpenOrBook
from tests.rows import rows_of

PACKAGES = ("app.handlers", "tests.persistence.accounts")


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with accounts."""
    async with service_with(settings, PACKAGES) as running:
        yield running


@pytest.fixture
async def account_id(bus: CQRSBus) -> UUID:
    """An account with 10 in it."""
    opened = uuid4()
    (await bus.execute_command(OpenAccount(opened))).unwrap()
    (await bus.execute_command(Book(opened, 10))).unwrap()
    return opened


async def test_an_aggregate_is_made_again_from_its_stream(service: RunningService, bus: CQRSBus) -> None:
    ada, bob = uuid4(), uuid4()
    for account_id, owner, amounts in ((ada, "Ada", (10, -3)), (bob, "Bob", (5,))):
        (await bus.execute_command(OpenAccount(account_id, owner))).unwrap()
        for amount in amounts:
            (await bus.execute_command(Book(account_id, amount))).unwrap()
    assert (await bus.execute_query(AskBalance(ada))).unwrap() == ("Ada", 7, 3)
    assert (await bus.execute_query(AskBalance(bob))).unwrap() == ("Bob", 5, 2)
    stored = [(row.aggregate_type, row.event_type, row.version) for row in await rows_of(service, event_log)]
    assert stored[:2] == [("Account", "AccountOpened", 1), ("Account", "AmountBooked", 2)]


async def test_its_rules_look_at_all_that_happened(bus: CQRSBus, account_id: UUID) -> None:
    refused = await bus.execute_command(Book(account_id, -11))
    assert (refused.status, refused.error_message) == (
        OperationStatus.BUSINESS_RULE,
        "There is not enough in the account.",
    )
    assert (await bus.execute_command(Book(account_id, -10))).unwrap() == 0


async def test_what_is_nested_works_on_the_same_object(bus: CQRSBus, account_id: UUID) -> None:
    assert (await bus.execute_command(Book(account_id, 1, times=3))).unwrap() == 13
    assert (await bus.execute_query(AskBalance(account_id))).unwrap() == ("Ada", 13, 5)


async def test_a_commit_that_fails_leaves_the_stream_as_it_was(bus: CQRSBus, account_id: UUID) -> None:
    with failing_commits(bus, times=1):
        assert (await bus.execute_command(Book(account_id, 1))).is_failure
    assert (await bus.execute_query(AskBalance(account_id))).unwrap() == ("Ada", 10, 2)


async def test_of_two_who_read_the_same_one_is_told(service: RunningService, bus: CQRSBus, account_id: UUID) -> None:
    on_sqlite = service.settings.database_url.startswith("sqlite")
    meet = asyncio.Barrier(1 if on_sqlite else 2)  # SQLite has one writer: the second does not even begin
    results = await asyncio.gather(*(bus.execute_command(Book(account_id, -6, meet=meet)) for _ in range(2)))
    (refused,) = [result for result in results if result.is_failure]
    assert refused.status is (OperationStatus.BUSINESS_RULE if on_sqlite else OperationStatus.CONFLICT)
    assert (await bus.execute_query(AskBalance(account_id))).unwrap() == ("Ada", 4, 3)


async def test_of_two_who_find_nothing_the_second_finds_what_the_first_made(
    service: RunningService, bus: CQRSBus
) -> None:
    account_id = uuid4()
    meet = asyncio.Barrier(1 if service.settings.database_url.startswith("sqlite") else 2)
    both = await asyncio.gather(*(bus.execute_command(OpenOrBook(account_id, amount, meet)) for amount in (3, 4)))
    assert max(result.unwrap() or 0 for result in both) == 7
    assert (await bus.execute_query(AskBalance(account_id))).unwrap() == ("Ada", 7, 3)


async def test_a_rollback_to_a_savepoint_restores_its_state(bus: CQRSBus, account_id: UUID) -> None:
    before = (await bus.execute_query(AskBalance(account_id))).unwrap()
    assert before is not None
    owner, balance, version = before
    undone = BookTogether(account_id, (-balance, -1), fee=1)
    assert (await bus.execute_command(undone)).unwrap() == balance - 1
    assert (await bus.execute_query(AskBalance(account_id))).unwrap() == (owner, balance - 1, version + 1)
    kept = BookTogether(account_id, (-1, -1), fee=1)
    assert (await bus.execute_command(kept)).unwrap() == balance - 4
    assert (await bus.execute_query(AskBalance(account_id))).unwrap() == (owner, balance - 4, version + 4)


async def test_what_was_made_before_a_rollback_is_gone(service: RunningService, bus: CQRSBus) -> None:
    assert (await bus.execute_command(OpenAndRegret(uuid4()))).status is OperationStatus.NOT_FOUND
    used = await bus.execute_command(OpenAndRegret(uuid4(), is_loaded=False))
    assert used.status is OperationStatus.FAILED
    assert "inside a savepoint that was rolled back" in str(used.error_message)
    assert await rows_of(service, event_log) == []


async def test_a_query_that_lets_something_happen_is_refused(bus: CQRSBus, account_id: UUID) -> None:
    refused = await bus.execute_query(AskBalance(account_id, book=1))
    assert str(refused.error_message).startswith("Something was written outside a transaction")
    assert (await bus.execute_query(AskBalance(account_id))).unwrap() == ("Ada", 10, 2)


async def test_where_nothing_happened_there_is_nothing(bus: CQRSBus) -> None:
    missing = await bus.execute_query(AskBalance(uuid4()))
    assert (missing.status, missing.error_message) == (OperationStatus.NOT_FOUND, "There is no such account.")
