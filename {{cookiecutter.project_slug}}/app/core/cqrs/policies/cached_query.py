"""`@cached_query`: caches the answers of a query for a limited time."""

import hashlib
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog

from app.core.canonical_json import canonical_json
from app.core.cqrs.attempt import Attempt, attempt_here
from app.core.cqrs.messages import IQuery
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.invalidates import check_tags, filled_tags
from app.core.cqrs.policies.policy import Policy, refusal, require_distinct, require_fields
from app.core.cqrs.ports import Cache, CacheEntry
from app.core.cqrs.results import NOT_CACHED, CacheInfo, OperationResult, QueryResult, as_result
from app.core.cqrs.serialization import AnswerCodec, answer_codec
from app.core.single_flight import SingleFlight
from app.core.storable.types import losses

DEFAULT_TTL_SECONDS = 300.0
logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CachedQuery(Policy):
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
    """

    ttl_seconds: float | None = None
    ttl_delta: InitVar[timedelta | None] = None
    cache_null_results: bool = False
    vary_by: Sequence[str] | None = None
    cache_key_prefix: str | None = None
    tags: Sequence[str] = ()
    scope: Literal["principal", "public"] = "principal"

    def __post_init__(self, ttl_delta: timedelta | None) -> None:
        super().__post_init__()
        if self.ttl_seconds is not None and ttl_delta is not None:
            raise ValueError("Give ttl_seconds or ttl_delta, not both.")
        given = self.ttl_seconds if ttl_delta is None else ttl_delta.total_seconds()
        self._normalise(
            ttl_seconds=DEFAULT_TTL_SECONDS if given is None else given,
            vary_by=None if self.vary_by is None else tuple(self.vary_by),
            cache_key_prefix=self.cache_key_prefix or "",
            tags=(self.tags,) if isinstance(self.tags, str) else tuple(self.tags),
        )

    def check(self, plan: Plan) -> None:
        """Refuse anything but a query whose answer survives storage, and parameters that cannot work."""
        if plan.kind is not Kind.QUERY:
            raise refusal(plan, "@cached_query is for queries: anything else must happen every time.")
        if self._ttl <= 0:
            raise refusal(plan, f"ttl_seconds={self._ttl:g} would keep nothing; give a positive number.")
        if self.scope not in ("principal", "public"):
            raise refusal(plan, f"scope={self.scope!r} is unknown; it is 'principal' or 'public'.")
        if plan.answer_type is Any:
            raise refusal(
                plan,
                "@cached_query stores the answer, so the query or the base of its handler must say what it is: "
                f"IQuery[UserView], or BaseQueryHandler[{plan.message_type.__name__}, UserView].",
            )
        for sentence in () if plan.caches_itself else losses(plan.answer_type):
            raise refusal(plan, f"@cached_query stores the answer as JSON, and would change it by that. {sentence}")
        require_fields(plan, self.vary_by or (), "vary_by")
        if not plan.caches_itself and getattr(plan.message_type, "get_cache_key", None) is IQuery.get_cache_key:
            require_distinct(plan, self.vary_by, "the cache key is made of the query's fields as JSON")
        check_tags(plan, self.tags)

    def step(self, plan: Plan, proceed: Step) -> Step:
        """Answer from the cache; on a miss, one caller per key loads and the others wait (single-flight)."""
        if plan.caches_itself and plan.cache_enabled:
            return proceed
        cache = plan.ports.cache

        async def uncached(query: Any) -> Any:
            return as_result(await proceed(query), QueryResult, query).with_outcome(cache_info=NOT_CACHED)

        if cache is None or not plan.cache_enabled:
            return uncached
        nested, codec = plan.nested, answer_codec(plan.answer_type)
        misses = _Misses(self, cache, codec, proceed)

        async def cached(query: Any) -> Any:
            attempt = attempt_here() if nested else None
            if attempt is not None and attempt.unit is not None:
                return await uncached(query)  # do not cache: the answer may include uncommitted changes
            key = self.key_of(query)
            entry = await cache.get(key)
            if entry is not None and (found := _read(entry, key, query, codec)) is not None:
                return found
            return await misses.load(query, key, attempt)

        return cached

    def key_of(self, query: Any) -> str:
        """The cache key, hashed: it reveals no values, and a release with other tags or another ttl has other keys."""
        own = query.get_cache_key()
        varying = canonical_json(query, None if self.vary_by is None else tuple(self.vary_by)) if own is None else own
        caller = "*" if self.scope == "public" else f"={query.metadata.user_id or ''}"
        parts = repr((caller, varying, self.tags, self._ttl)).encode()
        return f"{self.cache_key_prefix}{query.query_name}:{hashlib.sha256(parts).hexdigest()}"

    def ttl_of(self, query: Any) -> float:
        """The time to live of this query's answer, in seconds."""
        own = query.get_cache_ttl()
        return self._ttl if own is None else float(own)

    @property
    def _ttl(self) -> float:
        assert self.ttl_seconds is not None, "__post_init__ has set it"
        return self.ttl_seconds


cached_query = CachedQuery


class _Misses:
    """Loads and stores what one query's handler answers, when the cache has no answer."""

    def __init__(self, policy: CachedQuery, cache: Cache, codec: AnswerCodec, proceed: Step) -> None:
        self._policy, self._cache, self._codec, self._proceed = policy, cache, codec, proceed
        self._flights: SingleFlight[tuple[bytes, bool]] = SingleFlight()

    async def load(self, query: Any, key: str, attempt: Attempt | None) -> OperationResult[Any]:
        """Load the answer, in turn with other callers where that cannot deadlock."""
        tags, ttl_seconds = filled_tags(self._policy.tags, query), self._policy.ttl_of(query)
        is_kept = ttl_seconds > 0 and (attempt is None or not attempt.reads_snapshot)
        generation = await self._cache.generation(tags)

        async def load() -> tuple[bytes, bool]:
            result = as_result(await self._proceed(query), QueryResult, query)
            stored = self._codec.keep(result)
            is_partial = result._outcome.is_partial
            if is_kept and not is_partial and (result.data is not None or self._policy.cache_null_results):
                await self._cache.set(key, stored, ttl_seconds, tags, generation)
            return stored, is_partial

        async def load_in_turn() -> tuple[bytes, bool]:
            async with self._cache.loading(key, generation) as another_process_did:
                if not another_process_did:
                    return await load()
                entry = await self._cache.get(key)
                if entry is not None and _read(entry, key, query, self._codec) is not None:
                    return entry.value, False
            return await load()  # it kept nothing: load without the lock, or waiting processes would queue in vain

        if attempt is not None:  # joining a flight or the lock could deadlock: its owner may wait for this connection
            stored, is_partial = await load()
        else:  # callers after an invalidation do not join a load that began before it
            loading = load_in_turn if ttl_seconds > 0 else load
            stored, is_partial = await self._flights.fly(f"{key} {generation!r}", loading)
        answer = self._codec.kept(stored, query, CacheInfo(hit=False, key=key, ttl_seconds=ttl_seconds, level=None))
        return answer.with_outcome(is_partial=True) if is_partial else answer


def _read(entry: CacheEntry, key: str, query: Any, codec: AnswerCodec) -> OperationResult[Any] | None:
    """The cached answer; None if it is unreadable, or was written by a release with another schema."""
    info = CacheInfo(hit=True, key=key, ttl_seconds=entry.ttl_seconds, level=entry.level)
    try:
        return codec.kept(entry.value, query, info)
    except ValueError:
        logger.warning("cache_entry_unreadable", key=key)
        return None
