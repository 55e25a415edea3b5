"""Days in the shop's time zone: an order at 22:00 in New York is of that day, though in UTC it is the next day."""

from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings
from sqlalchemy import select

from app.core.config import Settings, checked
from app.core.cqrs import ConfigurationError
from app.persistence.engine.database import Database
from app.persistence.mappings.order_read_tables import daily_sales_orders, order_summaries


class ShopSettings(BaseSettings):
    """The time zone of the shop. Immutable."""

    model_config = Settings.model_config

    shop_time_zone: str = Field(default="UTC", validation_alias=AliasChoices("shop_time_zone", "kitchen_time_zone"))
    """The time zone of the kitchen's hours, and of the days of sales and reports, such as America/New_York.

    Its earlier name, KITCHEN_TIME_ZONE, is still read.
    """

    @field_validator("shop_time_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            _zone(name)
        except (ValueError, OSError, KeyError):
            raise ValueError("it has to be a name such as Europe/Rome.") from None
        return name

    @property
    def shop_zone(self) -> tzinfo:
        """The time zone of that name."""
        return _zone(self.shop_time_zone)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


@lru_cache(maxsize=1)
def shop_zone() -> tzinfo:
    """The shop's time zone, the same for the whole process: a projection is a pure function of events.

    Raises:
        SettingsError: if there is no such zone.
    """
    return checked(ShopSettings).shop_zone


def shop_day(moment: datetime) -> date:
    """The day of the shop at this moment; a day has 23 or 25 hours when the clocks change."""
    return moment.astimezone(shop_zone()).date()


async def require_same_days(database: Database) -> None:
    """Check, by the newest 1,000 orders, that stored sales use this time zone, and not that of an earlier setting.

    Raises:
        ConfigurationError: if they do not.
    """
    stored = (
        select(order_summaries.c.order_time, daily_sales_orders.c.day)
        .join(daily_sales_orders, daily_sales_orders.c.order_id == order_summaries.c.order_id)
        .order_by(order_summaries.c.order_time.desc(), order_summaries.c.order_id.desc())
        .limit(1_000)
    )
    async with database.reading_latest() as session:
        rows = (await session.execute(stored)).all()
    if any(shop_day(order_time) != day for order_time, day in rows):
        raise ConfigurationError(
            "Sales were counted by the days of another zone than SHOP_TIME_ZONE: set it back, or end all processes "
            "of this service, run `app projections rebuild daily_sales`, and start them again."
        )
