"""`@cached_query`: caches the answers of a query for a limited time."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog

from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.invalidates import check_tags, filled_tags
from app.core.cqrs.policies.policy import K, Policy, record, refuse, require_fields
from app.core.cqrs.policies.single_flight import SingleFlight
from app.core.cqrs.ports import Cache, CacheEntry
from app.core.cqrs.results import CacheInfo, OperationResult, QueryResult, as_result
from app.core.cqrs.storable_types import losses
from app.core.cqrs.targets import require_arguments
from app.core.cqrs.wire import AnswerCodec, answer_codec, canonical_json
from app.core.cqrs.work import current_work

DEFAULT_TTL_SECONDS = 300.0
Scope = Literal["principal", "public"]
logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CachedQuery(Policy):
    """Recorded by `cached_query`."""

    ttl_seconds: float
    cache_null_results: bool
    vary_by: tuple[str, ...] | None
    cache_key_prefix: str
    tags: tuple[str, ...]
    scope: Scope

    def check(self, plan: Plan) -> None:
        if plan.kind is not Kind.QUERY:
            raise refuse(plan, "@cached_query is for queries: anything else must happen every time.")
        if self.ttl_seconds <= 0:
            raise refuse(plan, f"ttl_seconds={self.ttl_seconds:g} would keep nothing; give a positive number.")
        if self.scope not in ("principal", "public"):
            raise refuse(plan, f"scope={self.scope!r} is unknown; it is 'principal' or 'public'.")
        if plan.answer_type is Any:
            raise refuse(
                plan,
                "@cached_query stores the answer, so the query or the base of its handler must say what it is: "
                f"IQuery[UserView], or BaseQueryHandler[{plan.message_type.__name__}, UserView].",
            )
        for sentence in () if plan.caches_itself else losses(plan.answer_type):
            raise refuse(plan, f"@cached_query stores the answer as JSON, and would change it by that. {sentence}")
        require_fields(plan, self.vary_by or (), "vary_by")
        check_tags(plan, self.tags)

    def key_of(self, query: Any) -> str:
        """The cache key of this query: hashed, so that it reveals no values and has a safe length and alphabet."""
        own = query.get_cache_key()
        varying = canonical_json(query, self.vary_by) if own is None else own
        caller = "*" if self.scope == "public" else f"={query.metadata.user_id or ''}"
        parts = repr((caller, varying)).encode()
        return f"{self.cache_key_prefix}{query.query_name}:{hashlib.sha256(parts).hexdigest()}"

    def ttl_of(self, query: Any) -> float:
        """The time to live of this query's answer, in seconds."""
        own = query.get_cache_ttl()
        return self.ttl_seconds if own is None else float(own)


def cached_query(
    ttl_seconds: float | None = None,
    ttl_delta: timedelta | None = None,
    cache_null_results: bool = False,
    vary_by: Sequence[str] | None = None,
    cache_key_prefix: str | None = None,
    tags: Sequence[str] = (),
    scope: Scope = "principal",
) -> Callable[[K], K]:
    """Cache successful answers, separately for each caller.

    Args:
        ttl_seconds: the time to live, in seconds; None: `ttl_delta`, else 300.
        ttl_delta: the time to live as a timedelta.
        cache_null_results: cache an answer of None, too.
        vary_by: the fields that are part of the cache key; None: all of them.
        cache_key_prefix: a prefix of every key.
        tags: names by which `invalidates` drops the answer; `"user:{user_id}"` is filled from the query's fields.
        scope: "public" shares an answer between all callers; permissions are still checked first.

    Raises:
        ValueError: if both `ttl_seconds` and `ttl_delta` are given.
        PolicyError: if it is used without parentheses, or on anything but a handler class.
    """
    require_arguments("cached_query", "@cached_query()", ttl_seconds)
    if ttl_seconds is not None and ttl_delta is not None:
        raise ValueError("Give ttl_seconds or ttl_delta, not both.")
    ttl = ttl_delta.total_seconds() if ttl_delta is not None else ttl_seconds
    policy = CachedQuery(
        ttl_seconds=DEFAULT_TTL_SECONDS if ttl is None else ttl,
        cache_null_results=cache_null_results,
        vary_by=None if vary_by is None else tuple(vary_by),
        cache_key_prefix=cache_key_prefix or "",
        tags=(tags,) if isinstance(tags, str) else tuple(tags),
        scope=scope,
    )
    return lambda handler: record(handler, policy)


def caching(plan: Plan, proceed: Step) -> Step:
    """Answer from the cache; on a miss, one caller per key loads and the others wait (single-flight)."""
    policy = plan.policy(CachedQuery)
    if policy is None or (plan.caches_itself and plan.cache_enabled):
        return proceed
    cache = plan.ports.cache

    async def uncached(query: Any) -> Any:
        return as_result(await proceed(query), QueryResult, query).with_outcome(cache_info=NOT_CACHED)

    return uncached if cache is None or not plan.cache_enabled else _kept_in(cache, plan, policy, proceed, uncached)


def _kept_in(cache: Cache, plan: Plan, policy: CachedQuery, proceed: Step, uncached: Step) -> Step:
    codec = answer_codec(plan.answer_type)
    flights: SingleFlight[bytes] = SingleFlight()

    async def cached(query: Any) -> Any:
        work = current_work() if plan.nested else None
        if work is not None and work.unit is not None:
            return await uncached(query)  # do not cache: the answer may include uncommitted changes
        key = policy.key_of(query)
        entry = await cache.get(key)
        if entry is not None and (found := _read(entry, key, query, codec)) is not None:
            return found
        tags, ttl_seconds = filled_tags(policy.tags, query), policy.ttl_of(query)
        sees_now = work is None or not work.has_snapshot
        generation = await cache.generation(tags)

        async def load() -> bytes:
            result = as_result(await proceed(query), QueryResult, query)
            stored = codec.keep(result)
            if sees_now and ttl_seconds > 0 and (result.data is not None or policy.cache_null_results):
                await cache.set(key, stored, ttl_seconds, tags, generation)
            return stored

        async def load_in_turn() -> bytes:
            async with cache.loading(key, generation) as another_process_did:
                if not another_process_did:
                    return await load()
                entry = await cache.get(key)
                if entry is not None and _read(entry, key, query, codec) is not None:
                    return entry.value
            return await load()  # it kept nothing: load without the lock, or waiting processes would queue in vain

        if work is not None:  # joining a flight or the lock could deadlock: its owner may wait for this connection
            stored = await load()
        else:  # callers after an invalidation do not join a load that began before it
            stored = await flights.fly(f"{key} {generation!r}", load_in_turn if ttl_seconds > 0 else load)
        return codec.kept(stored, query, CacheInfo(hit=False, key=key, ttl_seconds=ttl_seconds, level=None))

    return cached


NOT_CACHED = CacheInfo(hit=False, key=None, ttl_seconds=None, level=None)
HIT_BY_HOOK = CacheInfo(hit=True, key=None, ttl_seconds=None, level=None)


def _read(entry: CacheEntry, key: str, query: Any, codec: AnswerCodec) -> OperationResult[Any] | None:
    """The cached answer; None if it is unreadable, or was written by a release with another schema."""
    info = CacheInfo(hit=True, key=key, ttl_seconds=entry.ttl_seconds, level=entry.level)
    try:
        return codec.kept(entry.value, query, info)
    except ValueError:
        logger.warning("cache_entry_unreadable", key=key)
        return None
