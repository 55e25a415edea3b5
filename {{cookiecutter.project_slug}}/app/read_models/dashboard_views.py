"""What a user sees first, and how a feature puts something of its own there."""

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
    """Base of queries that are a part of every dashboard, by being there; `part` names them in the view."""

    part: ClassVar[str]

    user_id: UUID


class UserDashboardView(View):
    """A user, what is new, and what the caller may see of the rest."""

    user: UserView
    unread_notifications: list[NotificationView]
    stats: UserStatsView | None
    """None for callers who may not see them."""
    parts: dict[str, JsonValue]
    """What other features put there: their name -> their answer."""
