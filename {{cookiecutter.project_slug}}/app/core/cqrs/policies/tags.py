"""Cache tags. An invalidated tag that no cached query has is misspelt, and stale answers would stay cached."""

import re
from collections.abc import Iterable
from string import Formatter

declared_tags: set[str] = set()
"""The tags of cache entries that do not come from a cached query."""


def declare_tags(*tags: str) -> None:
    """Declare tags of cache entries that do not come from `@cached_query`.

    For direct use of the cache, and for entries of another service in the same cache. Call it when the module that
    uses the cache is imported.

    Args:
        tags: as given to `invalidates`; a field in braces, as in `"access:{user_id}"`, matches any text.
    """
    declared_tags.update(tags)


class KnownTags:
    """The tags of cache entries: those of cached queries, and those declared by `declare_tags`.

    Args:
        tags: as given to `cached_query`.
    """

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

    def unread(self, who: str, tag: str) -> str:
        """The sentence for a tag that somebody invalidates, and that is not known."""
        return (
            f"{who} makes the tag {tag!r} stale, which no @cached_query has; there are: "
            f"{', '.join(self._tags) or 'none'}. Correct one of them, or call declare_tags() where something else "
            "keeps entries under it."
        )


def _pattern(template: str, field: str) -> str:
    return "".join(re.escape(text) + ("" if name is None else field) for text, name, _, _ in parts(template))


def _sample(template: str) -> str:
    return "".join(text + ("" if name is None else "x") for text, name, _, _ in parts(template))


def parts(tag: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """Split a tag into parts: a text, and the field after it with its format and conversion.

    Raises:
        ValueError: if a brace is not matched.
    """
    return [*Formatter().parse(tag)]
