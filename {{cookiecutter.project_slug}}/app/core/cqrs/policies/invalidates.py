"""`@invalidates` and cache tags: drops the cached answers that a command makes stale."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from app.core.cqrs.attempt import attempt_of
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.messages import name_of
from app.core.cqrs.operation import Operation, current, here, running
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import Policy, refusal, require_fields

declared_tags: set[str] = set()
"""The tags of cache entries that do not come from a cached query."""


@dataclass(frozen=True, init=False)
class Invalidates(Policy):
    """Drop the cached answers with one of these tags after the commit.

    A service does not start if a tag belongs to no cached query and was not declared by `declare_tags`: it is misspelt,
    and stale answers would stay cached.

    Args:
        tags: as given to `cached_query`; `"user:{user_id}"` is filled from the fields of the command.
    """

    tags: tuple[str, ...]

    has_effects = True
    example = '("user:{user_id}")'

    def __init__(self, *tags: str) -> None:
        self._normalise(tags=tags)
        self.__post_init__()

    def check(self, plan: Plan) -> None:
        """Refuse anything but a command, and tags that cannot be filled from its fields."""
        if plan.kind is not Kind.COMMAND:
            raise refusal(plan, "@invalidates is for commands: nothing else changes what is stored.")
        if not self.tags:
            raise refusal(plan, "@invalidates needs at least one tag.")
        check_tags(plan, self.tags)

    def step(self, plan: Plan, proceed: Step) -> Step:
        """Add the stale tags to the attempt: they are invalidated afterwards, unless it was rolled back.

        They are added before the handler runs, because the attempt may be committed despite an error.
        """

        def note_stale_tags(message: Any) -> Any:
            _note(here(), filled_tags(self.tags, message))
            return proceed(message)

        return note_stale_tags


invalidates = Invalidates


def mark_stale(*tags: str) -> None:
    """Drop the cached answers with one of these tags after the commit of the current operation.

    For event handlers, and for tags that a command's fields do not determine. Outside of an operation nothing is
    committed, and nothing is dropped.

    Raises:
        ConfigurationError: if the current operation commits nothing, if a task that a handler started calls this, or
            if a tag belongs to no cached query and was not declared.
    """
    operation = running()
    if operation is not None:
        operation._bus.require_readers(f"mark_stale() in {name_of(operation._message)}", tags)
        _note(operation, tags)
    elif (outer := current.get()) is not None:
        raise ConfigurationError(
            f"mark_stale() was called by a task that was started in {name_of(outer._message)}, whose commit does not "
            "wait for it: call it in the handler itself."
        )


def _note(operation: Operation, tags: Iterable[str]) -> None:
    """Add tags to the attempt of an operation. One with `@invalidates` always has an attempt, see `has_effects`."""
    attempt = attempt_of(operation)
    if attempt is None:
        raise ConfigurationError(
            f"mark_stale() was called for {name_of(operation._message)}, which commits nothing: a handler that is "
            "registered as an instance, or on a bus without scopes, needs @transactional for it."
        )
    attempt.stale_tags.update(tags)


def declare_tags(*tags: str) -> None:
    """Declare tags of cache entries that do not come from `@cached_query`, when the module that makes them is imported.

    Args:
        tags: as given to `invalidates`; a field in braces, as in `"access:{user_id}"`, matches any text.
    """
    declared_tags.update(tags)


class KnownTags:
    """The tags of cache entries: those of cached queries, which are given, and those declared by `declare_tags`."""

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags = sorted({*tags, *declared_tags})

    def has_shape(self, template: str) -> bool:
        """Whether a tag template may match a known tag; a field matches text without colons."""
        return any(
            re.fullmatch(_pattern(one, "[^:]*"), _sample(other))
            for known in self._tags
            for one, other in ((known, template), (template, known))
        )

    def has(self, tag: str) -> bool:
        """Whether a tag, already filled from fields, matches a known tag."""
        return any(re.fullmatch(_pattern(known, ".*"), tag, re.DOTALL) for known in self._tags)

    def sentence(self, who: str, tag: str) -> str:
        """What is wrong with an invalidated tag that is not known."""
        return (
            f"{who} makes the tag {tag!r} stale, which no @cached_query has; there are: "
            f"{', '.join(self._tags) or 'none'}. Correct one of them, or call declare_tags() where something else "
            "keeps entries under it."
        )


def check_tags(plan: Plan, tags: Sequence[str]) -> None:
    """Raise a PolicyError for a tag that is malformed, has a format, or names a field that the message lacks."""
    try:
        named = [part for tag in tags for part in _parts(tag) if part[1] is not None]
    except ValueError as error:
        raise refusal(plan, f"a tag cannot be read, {error}: {', '.join(tags)}.") from error
    require_fields(plan, tuple(str(name) for _, name, _, _ in named), "a tag")
    if any(form or conversion for _, _, form, conversion in named):
        raise refusal(plan, f"a tag takes fields as they are, without : or !: {', '.join(tags)}.")


def filled_tags(tags: Sequence[str], message: Any) -> set[str]:
    """The tags, filled from the fields of the message."""
    return {
        "".join(text + ("" if name is None else str(getattr(message, name))) for text, name, _, _ in _parts(tag))
        for tag in tags
    }


def _parts(tag: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """Split a tag into parts: a text, and the field after it with its format and conversion."""
    return [*Formatter().parse(tag)]


def _pattern(template: str, field: str) -> str:
    return "".join(re.escape(text) + ("" if name is None else field) for text, name, _, _ in _parts(template))


def _sample(template: str) -> str:
    return "".join(text + ("" if name is None else "x") for text, name, _, _ in _parts(template))
