import asyncio
from typing import Any
from uuid import uuid4

from app.composition.container import running_service
from app.core.config import Settings
from app.core.cqrs import CQRSBus, NextHandler, OperationStatus
from app.handlers.user.get_unread_notifications_handler import GetUnreadNotificationsQuery
from app.handlers.user.get_user_dashboard_handler import GetUserDashboardQuery
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.get_user_stats_handler import GetUserStatsQuery
from tests.core.cqrs.support import PATIENCE
from tests.users import People


async def test_it_has_what_its_reader_may_see(bus: CQRSBus, people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    await bus.settled()
    hers = (await ada.query(GetUserDashboardQuery(ada.id))).unwrap()
    assert (hers.user.id, hers.stats) == (ada.id, None)
    assert "welcome" in [notification.kind for notification in hers.unread_notifications]
    for total in (2, 3):
        stats = (await root.query(GetUserDashboardQuery(ada.id))).unwrap().stats
        assert stats and stats.total == total
        await people.member()
    assert (await root.query(GetUserDashboardQuery(uuid4()))).status is OperationStatus.NOT_FOUND


async def test_all_parts_are_read_at_the_same_time(bus: CQRSBus, people: People) -> None:
    ada, all_have_begun = await people.member(), asyncio.Barrier(3)

    async def meet(operation: Any, next_handler: NextHandler) -> Any:
        if isinstance(operation, GetUserQuery | GetUnreadNotificationsQuery | GetUserStatsQuery):
            async with asyncio.timeout(PATIENCE):
                await all_have_begun.wait()
        return await next_handler()

    bus.add_query_middleware(meet)
    assert (await ada.query(GetUserDashboardQuery(ada.id))).unwrap().user.id == ada.id


async def test_another_feature_adds_a_part_by_being_there(settings: Settings) -> None:
    packages = ("app.handlers", "tests.handlers.user.dashboard_part")
    async with running_service(settings.model_copy(update={"database_pool_size": 2}), packages) as service:
        ada = await People(service.bus).member()
        await service.bus.settled()
        for hit in (False, True):
            read = await ada.query(GetUserDashboardQuery(ada.id))
            part = read.unwrap().parts["horoscope"]
            assert part == {"of": str(ada.id), "made": "2026-01-01T00:00:00Z", "asked_by": str(ada.id)}
            assert read.cache_info and read.cache_info["hit"] is hit
