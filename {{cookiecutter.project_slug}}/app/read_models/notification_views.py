"""Views of notifications."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.persistence.tables import notifications
from app.read_models.user_views import View

MOST_SHOWN = 50


class NotificationView(View):
    """A notification."""

    id: UUID
    kind: str
    subject: str
    body: str
    sent_at: datetime


async def unread_notifications(session: AsyncSession, user_id: UUID) -> list[NotificationView]:
    """The newest notifications that the user has not read."""
    wanted = (
        select(*(notifications.c[name] for name in NotificationView.model_fields))
        .where(notifications.c.user_id == user_id, notifications.c.read_at.is_(None))
        .order_by(notifications.c.sent_at.desc(), notifications.c.id)
        .limit(MOST_SHOWN)
    )
    return [NotificationView(**row._mapping) for row in await session.execute(wanted)]
