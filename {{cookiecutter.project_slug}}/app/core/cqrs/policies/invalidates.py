"""`@invalidates`: drops the cached answers that a command makes stale."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.core.cqrs.dispatch import Dispatch, current, running
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.messages import name_of
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import K, Policy, record, refuse, require_fields
from app.core.cqrs.tags import parts
from app.core.cqrs.targets import require_arguments
from app.core.cqrs.work import work_of


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
    """Drop the cached answers with one of these tags after the commit.

    A service does not start if a tag belongs to no cached query and was not declared by `declare_tags`.

    Args:
        tags: as given to `cached_query`; `"user:{user_id}"` is filled from the fields of the command.

    Raises:
        PolicyError: if it is used without parentheses, or on anything but a handler class.
    """
    require_arguments("invalidates", '@invalidates("user:{user_id}")', *tags)
    return lambda handler: record(handler, Invalidates(tags))


def invalidation(plan: Plan, proceed: Step) -> Step:
    """Add the stale tags to the work: they are invalidated afterwards, if the work may have been committed.

    They are added before the handler runs, because the work may be committed despite an error.
    """
    policy = plan.policy(Invalidates)
    if policy is None:
        return proceed

    def note_stale_tags(message: Any) -> Any:
        dispatch = running()
        assert dispatch is not None, "a pipeline only runs inside a dispatch"
        _note(dispatch, filled_tags(policy.tags, message))
        return proceed(message)

    return note_stale_tags


def mark_stale(*tags: str) -> None:
    """Drop the cached answers with one of these tags after the commit of the current operation.

    For event handlers, and for tags that a command's fields do not determine. Outside of an operation nothing is
    committed, and nothing is dropped.

    Raises:
        ConfigurationError: if the current operation commits nothing, if a task that a handler started calls this, or
            if a tag belongs to no cached query and was not declared.
    """
    dispatch = running()
    if dispatch is not None:
        assert dispatch._lease is not None, "it is open"
        dispatch._lease.bus.require_readers(f"mark_stale() in {name_of(dispatch._message)}", tags)
        _note(dispatch, tags)
    elif (outer := current.get()) is not None:
        raise ConfigurationError(
            f"mark_stale() was called by a task that was started in {name_of(outer._message)}, whose commit does not "
            "wait for it: call it in the handler itself."
        )


def _note(dispatch: Dispatch, tags: Iterable[str]) -> None:
    work = work_of(dispatch)
    if work is None:
        raise ConfigurationError(
            f"mark_stale() was called for {name_of(dispatch._message)}, which commits nothing: a handler that is "
            "registered as an instance, or on a bus without scopes, needs @transactional for it."
        )
    work.stale_tags.update(tags)


def check_tags(plan: Plan, tags: tuple[str, ...]) -> None:
    """Ensure that the message has the fields that its tags are filled from.

    Raises:
        PolicyError: if the message has no such field, or if a tag has a format or a conversion, or is malformed.
    """
    try:
        named = [part for tag in tags for part in parts(tag) if part[1] is not None]
    except ValueError as error:
        raise refuse(plan, f"a tag cannot be read, {error}: {', '.join(tags)}.") from error
    require_fields(plan, tuple(str(name) for _, name, _, _ in named), "a tag")
    if any(form or conversion for _, _, form, conversion in named):
        raise refuse(plan, f"a tag takes fields as they are, without : or !: {', '.join(tags)}.")


def filled_tags(tags: tuple[str, ...], message: Any) -> set[str]:
    """The tags, filled from the fields of the message."""
    return {
        "".join(text + ("" if name is None else str(getattr(message, name))) for text, name, _, _ in parts(tag))
        for tag in tags
    }
