"""The settings of the exchange of events with other services."""

from pydantic import Field

from app.core.addresses import Address
from app.core.config import Settings, by_service_name

NAME_AT_A_BROKER = "^[A-Za-z0-9_-]{1,100}$"
"""Names that every broker accepts for streams, queues and consumers."""


class ExchangeSettings(Settings):
    """Each field is named like its environment variable. Immutable."""

    broker_url: Address = Field(default="", repr=False)
    """The broker through which services exchange public events; empty: events stay in this service."""
    broker_topic: str = Field(default="events", pattern=NAME_AT_A_BROKER)
    """The name of the stream or exchange: the same for all services that exchange events, another in each
    environment at one broker, because services of one name take each other's events."""
    broker_group: str = Field(default_factory=by_service_name, pattern=NAME_AT_A_BROKER)
    """The consumer group: the same for all processes of this service, and for no other service."""
