"""The settings that orders add, from the environment and `.env` like all others."""

import re
from datetime import time

from pydantic import Field, field_validator

from app.core.addresses import Address
from app.domain.kitchen import Hours, Kitchen
from app.read_models.shop_days import ShopSettings

HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class OrderSettings(ShopSettings):
    """Each field is named like its environment variable. Immutable."""

    kitchen_hours: str = ""
    """When orders are accepted, in the shop's time zone, such as 11:00-23:00 or 18:00-02:00; empty: always."""
    kitchen_capacity: int | None = Field(default=None, ge=1, le=100_000)
    """How many orders may be in the kitchen at once; None: no limit."""
    payment_url: Address = Field(default="memory://", repr=False)

    @field_validator("kitchen_hours")
    @classmethod
    def _check_hours(cls, hours: str) -> str:
        if hours and HOURS.fullmatch(hours) is None:
            raise ValueError("it has to look like 11:00-23:00.")
        return hours

    @property
    def kitchen(self) -> Kitchen:
        """The kitchen's opening hours and capacity."""
        found = HOURS.fullmatch(self.kitchen_hours)
        if found is None:
            return Kitchen(capacity=self.kitchen_capacity)
        opens_hour, opens_minute, closes_hour, closes_minute = map(int, found.groups())
        hours = Hours(time(opens_hour, opens_minute), time(closes_hour, closes_minute), self.shop_zone)
        return Kitchen(hours, self.kitchen_capacity)
