"""Notifications as rows of a table, where users read them."""

from dataclasses import asdict

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import Clock, mark_stale
from app.domain.ports import Notification
from app.persistence.engine.upsert import insert_if_new
from app.persistence.repositories.user_repository import UserRepository
from app.persistence.tables import notifications

logger = structlog.get_logger(__name__)


class TableNotifications:
    """Stores notifications in the transaction of the operation that sends them, and logs each."""

    def __init__(self, session: AsyncSession, clock: Clock, users: UserRepository) -> None:
        self._session = session
        self._clock = clock
        self._users = users

    async def send(self, notification: Notification) -> None:
        """Store the notification, unless it is stored already or its user was deleted."""
        if not await self._users.exists(notification.user_id):
            return
        row = {**asdict(notification), "sent_at": self._clock.now()}
        if await insert_if_new(self._session, notifications, row):
            mark_stale(f"notifications:{notification.user_id}")
            logger.info("notification_sent", kind=notification.kind, user_id=str(notification.user_id))
