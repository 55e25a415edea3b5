"""The settings of a cache and a throttle in Redis."""

from pydantic import Field

from app.core.config import Settings, by_service_name


class RedisSettings(Settings):
    """Each field is named like its environment variable. Immutable."""

    cache_prefix: str = Field(default_factory=by_service_name, min_length=1)
    """The prefix of all keys in Redis: the same for all processes of this service, and for no other service."""
