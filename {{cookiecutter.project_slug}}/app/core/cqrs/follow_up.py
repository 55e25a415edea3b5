"""The after-commit step: it invalidates stale cache tags, then hands the stored events to the delivery."""

import asyncio
from typing import Any

import structlog

from app.core.cqrs.attempt import makes_work
from app.core.cqrs.dispatch import current
from app.core.cqrs.plan import Plan, Step
from app.core.cqrs.work import Work, work_of

LONGEST_SECONDS = 5.0
"""How long a command waits for a cache that hangs; the invalidation then continues in the background."""

logger = structlog.get_logger(__name__)


def following(plan: Plan, proceed: Step) -> Step:
    """Run the after-commit step outside of the deadline: committed work can no longer be late."""
    if not makes_work(plan):
        return proceed

    nested, get_current = plan.nested, current.get

    async def follow(message: Any) -> Any:
        dispatch = get_current()
        assert dispatch is not None, "a pipeline only runs inside a dispatch"
        outer_work = work_of(dispatch) if nested else None
        try:
            return await proceed(message)
        finally:
            work = work_of(dispatch)
            if work is not None and work is not outer_work:
                dispatch._work = outer_work
                if work.may_have_committed and (work.stored or work.stale_tags):
                    await _follow_up(work, plan)

    return follow


async def _follow_up(work: Work, plan: Plan) -> None:
    """Invalidate and deliver; a failure of the cache never fails committed work."""
    try:
        if work.stale_tags and plan.ports.cache is not None:
            async with asyncio.timeout(LONGEST_SECONDS):
                await asyncio.shield(plan.ports.cache.invalidate(work.stale_tags))
    except Exception:
        logger.exception("cache_invalidation_failed", tags=sorted(work.stale_tags))
    finally:
        plan.bus.delivery.add(work.stored)
