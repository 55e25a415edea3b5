"""The days of the shop: an order at 22:00 in New York is of that evening, although in UTC it is the next day."""

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

LOOKED_AT = 1_000


class ShopSettings(BaseSettings):
    """Where the shop is. Immutable."""

    model_config = Settings.model_config

    shop_time_zone: str = Field(default="UTC", validation_alias=AliasChoices("shop_time_zone", "kitchen_time_zone"))
    """Whose clock the kitchen's hours, the days of sales and of reports are told by, such as America/New_York."""

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
        """The zone of that name."""
        return _zone(self.shop_time_zone)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


@lru_cache(maxsize=1)
def shop_zone() -> tzinfo:
    """The shop's zone, for all of this process: a projection is a function of events, which has nobody to ask.

    Raises:
        SettingsError: there is no such zone.
    """
    return checked(ShopSettings).shop_zone


def shop_day(moment: datetime) -> date:
    """On which day of the shop something happened; it has 23 or 25 hours when the clocks are changed."""
    return moment.astimezone(shop_zone()).date()


async def require_same_days(database: Database) -> None:
    """Make sure that sales are kept by the days of this zone: those of before the setting was changed are not.

    Raises:
        ConfigurationError: they are not.
    """
    kept = (
        select(order_summaries.c.order_time, daily_sales_orders.c.day)
        .join(daily_sales_orders, daily_sales_orders.c.order_id == order_summaries.c.order_id)
        .order_by(order_summaries.c.order_time.desc(), order_summaries.c.order_id.desc())
        .limit(LOOKED_AT)
    )
    async with database.writing() as session:
        rows = (await session.execute(kept)).all()
    if any(shop_day(order_time) != day for order_time, day in rows):
        raise ConfigurationError(
            "Sales were counted by the days of another zone than SHOP_TIME_ZONE: set it back, or end all processes "
            "of this service, run `app projections rebuild daily_sales`, and start them again."
        )
