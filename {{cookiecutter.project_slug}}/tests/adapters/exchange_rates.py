"""A query whose handler looks after its own entry of the cache."""

from dataclasses import dataclass

from app.core.cqrs import BaseQueryHandler, Cache, IQuery, query_handler

asked: list[str] = []
"""The currencies that somebody really had to ask for."""


@dataclass(frozen=True)
class GetRate(IQuery[str]):
    """What a currency is worth today."""

    currency: str
    day: str


@query_handler(GetRate)
class GetRateHandler(BaseQueryHandler[GetRate, str]):
    """Keeps a rate for the day, under a key that other programs can find it by."""

    cache: Cache

    async def _handle(self, query: GetRate) -> str:
        key, tags = f"rate:{query.day}:{query.currency}", ("rates",)
        mark = await self.cache.generation(tags)
        entry = await self.cache.get(key)
        if entry is not None:
            return entry.value.decode()
        asked.append(query.currency)
        rate = f"1 {query.currency} = 2 dollars"
        await self.cache.set(key, rate.encode(), 3600, tags, mark)
        return rate
