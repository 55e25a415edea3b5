"""The settings that billing adds."""

from decimal import Decimal

from pydantic import Field
from pydantic_settings import BaseSettings

from app.core.config import Settings


class BillingSettings(BaseSettings):
    """Each named like its environment variable. Immutable."""

    model_config = Settings.model_config

    largest_invoice: Decimal = Field(default=Decimal("10000.00"), gt=0, le=Decimal("1000000.00"))
    """An invoice over more than this is refused."""
