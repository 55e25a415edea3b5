"""Provides the adapters to the container."""

from collections.abc import AsyncIterator

from dishka import Provider, provide

from app.adapters.by_scheme import adapter_module
from app.adapters.clock_system import SystemClock
from app.adapters.notifications_table import TableNotifications
from app.adapters.password_argon2 import open_hasher
from app.adapters.tokens_jwt import JwtAccessTokens
from app.core.config import Settings
from app.core.cqrs import Cache, Clock
from app.core.scopes import Lifetime
from app.domain.ports import AccessTokens, Notifications, PasswordHasher, Throttle


class AdaptersProvider(Provider):
    """One adapter for each port; where there are several, the scheme of a URL selects one."""

    clock = provide(SystemClock, scope=Lifetime.SERVICE, provides=Clock)
    tokens = provide(JwtAccessTokens, scope=Lifetime.SERVICE, provides=AccessTokens)
    notifications = provide(TableNotifications, scope=Lifetime.OPERATION, provides=Notifications)

    @provide(scope=Lifetime.SERVICE)
    async def cache(self, settings: Settings) -> AsyncIterator[Cache]:
        """The cache of `CACHE_URL`."""
        async with adapter_module("cache", settings.cache_url).open_cache(settings) as cache:
            yield cache

    @provide(scope=Lifetime.SERVICE)
    async def hasher(self, settings: Settings) -> AsyncIterator[PasswordHasher]:
        """The hasher of passwords, with its threads."""
        async with open_hasher(settings) as hasher:
            yield hasher

    @provide(scope=Lifetime.SERVICE)
    async def throttle(self, settings: Settings) -> AsyncIterator[Throttle]:
        """The throttle of failed logins, in the store of the cache: processes that share one share the other."""
        module = adapter_module("throttle", settings.cache_url, setting="CACHE_URL")
        async with module.open_throttle(settings) as throttle:
            yield throttle
