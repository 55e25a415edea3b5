"""A part of the dashboard, as another feature would bring it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.core.cqrs import BaseQueryHandler, query_handler
from app.read_models.dashboard_views import DashboardPart


@dataclass(frozen=True)
class GetHoroscopeQuery(DashboardPart[dict[str, Any]]):
    """What the stars say."""

    part = "horoscope"


@query_handler(GetHoroscopeQuery)
class GetHoroscopeHandler(BaseQueryHandler[GetHoroscopeQuery, dict[str, Any]]):
    """Asks the stars."""

    async def _handle(self, query: GetHoroscopeQuery) -> dict[str, Any]:
        return {"of": query.user_id, "made": datetime(2026, 1, 1, tzinfo=UTC), "asked_by": query.metadata.user_id}
