"""Queries that are asked by others, where nothing is cached because Redis is away."""

import asyncio

import pytest

from app.adapters import redis_link
from app.core.config import Settings
from app.handlers.user.get_user_handler import GetUserQuery
from tests.core.cqrs.support import within_patience
from tests.lifespan import service_with
from tests.persistence.nested_reads import ReadThenAsk
from tests.users import People


async def test_permissions_are_not_read_again_by_who_has_a_connection(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "START_SECONDS", 0.01)
    few = {"database_pool_size": 2, "database_pool_timeout_seconds": 10.0, "cache_url": "redis://127.0.0.1:1"}
    packages = ("app.handlers", "tests.persistence.nested_reads")
    async with service_with(settings.model_copy(update=few), packages) as service:
        ada, meet = await People(service.bus).member(), asyncio.Barrier(2)
        await service.bus.settled()
        question = ReadThenAsk(ada.id, GetUserQuery(ada.id), meet)
        answers = await within_patience(asyncio.gather(ada.query(question), ada.query(question)))
    assert {answer.unwrap().id for answer in answers} == {ada.id}
