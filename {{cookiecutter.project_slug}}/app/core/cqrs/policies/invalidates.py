"""`@invalidates`: which cached answers a command makes stale."""

from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter
from typing import Any

from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import K, Policy, record, refuse, require_fields
from app.core.cqrs.work import current_work


@dataclass(frozen=True)
class Invalidates(Policy):
    """Recorded by `invalidates`."""

    tags: tuple[str, ...]

    def check(self, plan: Plan) -> None:
        if plan.kind is not Kind.COMMAND:
            raise refuse(plan, "@invalidates is for commands: nothing else changes what is stored.")
        if not self.tags:
            raise refuse(plan, "@invalidates needs at least one tag.")
        check_tags(plan, self.tags)


def invalidates(*tags: str) -> Callable[[K], K]:
    """After the commit, drop cached answers with one of these tags.

    Args:
        tags: as given to `cached_query`; `"user:{user_id}"` is filled from the fields of the command.
    """
    return lambda handler: record(handler, Invalidates(tags))


def invalidation(plan: Plan, proceed: Step) -> Step:
    """Note the stale tags with the work: they are dropped when, and only if, it is committed.

    They are noted beforehand, because some errors let the work be committed too.
    """
    policy = plan.policy(Invalidates)
    if policy is None:
        return proceed

    def note_stale_tags(message: Any) -> Any:
        work = current_work()
        if work is not None:
            work.stale_tags |= filled_tags(policy.tags, message)
        return proceed(message)

    return note_stale_tags


def check_tags(plan: Plan, tags: tuple[str, ...]) -> None:
    """Make sure that the fields which tags are filled from exist.

    Raises:
        PolicyError: the message has no such field.
    """
    named = tuple(name for tag in tags for _, name, _, _ in Formatter().parse(tag) if name is not None)
    require_fields(plan, named, "a tag")


def filled_tags(tags: tuple[str, ...], message: Any) -> set[str]:
    """The tags with the message's fields put in."""
    return {
        "".join(
            text + ("" if name is None else str(getattr(message, name))) for text, name, _, _ in Formatter().parse(tag)
        )
        for tag in tags
    }
