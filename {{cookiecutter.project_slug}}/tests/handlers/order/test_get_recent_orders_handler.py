from typing import Any

from sqlalchemy import delete

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_recent_orders_handler import GetRecentOrdersQuery
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.handlers.user.get_user_dashboard_handler import GetUserDashboardQuery
from app.persistence.engine.database import Database
from app.persistence.tables import role_permissions
from tests.orders import placed
from tests.users import People, Person


async def test_the_five_newest_are_shown_the_newest_first(bus: CQRSBus, people: People, cook: Person) -> None:
    ada, bob = await people.member(), await people.member()
    ids = [await placed(ada) for _ in range(6)]
    await placed(bob)
    await placed(bus)
    for reader in (ada, cook):
        shown = (await reader.query(GetRecentOrdersQuery(ada.id))).unwrap()
        assert [order.order_id for order in shown] == ids[:0:-1]


async def test_they_are_a_part_of_the_dashboard_that_is_never_stale(bus: CQRSBus, people: People, cook: Person) -> None:
    ada = await people.member()

    async def shown() -> list[tuple[str, str]]:
        orders: Any = (await ada.query(GetUserDashboardQuery(ada.id))).unwrap().parts["recent_orders"]
        return [(order["order_id"], order["status"]) for order in orders]

    assert await shown() == []
    first = await placed(ada)
    assert await shown() == [(str(first), "pending")]
    second = await placed(ada)
    assert await shown() == [(str(second), "pending"), (str(first), "pending")]
    (await cook.command(StartCookingCommand(second, "staff-7", 20))).unwrap()
    (await cook.command(CancelOrderCommand(first))).unwrap()
    await bus.settled()
    assert await shown() == [(str(second), "cooking"), (str(first), "cancelled")]


async def test_who_may_not_see_them_sees_the_rest(service: RunningService, people: People) -> None:
    database = await service.container.get(Database)
    async with database.writing() as session, session.begin():
        await session.execute(delete(role_permissions).where(role_permissions.c.permission == "order:read:own"))
    ada = await people.member()
    dashboard = (await ada.query(GetUserDashboardQuery(ada.id))).unwrap()
    assert dashboard.user.id == ada.id
    assert "recent_orders" not in dashboard.parts
