"""Read a user's unread notifications."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, query_handler
from app.read_models.notification_views import NotificationView, unread_notifications


@dataclass(frozen=True)
class GetUnreadNotificationsQuery(IQuery[list[NotificationView]]):
    """Read a user's unread notifications, the newest first."""

    user_id: UUID


@query_handler(GetUnreadNotificationsQuery)
@authorize(permissions=["user:read:own"], resource_id_field="user_id")
class GetUnreadNotificationsHandler(BaseQueryHandler[GetUnreadNotificationsQuery, list[NotificationView]]):
    """Read a user's unread notifications, the newest first, 50 at most."""

    session: AsyncSession

    async def _handle(self, query: GetUnreadNotificationsQuery) -> list[NotificationView]:
        return await unread_notifications(self.session, query.user_id)
