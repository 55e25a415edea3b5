"""The dashboard of a user, and the queries by which other features extend it."""

from abc import ABC
from dataclasses import dataclass
from typing import Any, ClassVar, Generic
from uuid import UUID

from pydantic import JsonValue
from typing_extensions import TypeVar

from app.core.cqrs import IQuery
from app.read_models.notification_views import NotificationView
from app.read_models.user_views import UserStatsView, UserView, View

R_co = TypeVar("R_co", covariant=True, default=Any)


@dataclass(frozen=True)
class DashboardPart(IQuery[R_co], ABC, Generic[R_co]):
    """Base of queries that are part of every dashboard once they have a handler; `part` is their name in the view."""

    part: ClassVar[str]

    user_id: UUID


class UserDashboardView(View):
    """A user with unread notifications, and the other parts that the caller may see."""

    user: UserView
    unread_notifications: list[NotificationView]
    stats: UserStatsView | None
    """None for callers who may not see them."""
    parts: dict[str, JsonValue]
    """Parts of other features: name -> answer."""
