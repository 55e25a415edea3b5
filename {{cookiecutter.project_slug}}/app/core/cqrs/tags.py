"""Names of cached answers: who makes a tag stale that nobody reads by has misspelt it, and readers see old answers."""

import re
from collections.abc import Iterable
from string import Formatter

declared_tags: set[str] = set()
"""The tags that something else than a cached query keeps entries under."""


def declare_tags(*tags: str) -> None:
    """Say that entries are kept under these tags by something else than `@cached_query`.

    For your own use of the cache, and for entries of another service in the same cache. Call it where the module
    that does so is imported.

    Args:
        tags: as given to `invalidates`; what stands in braces, as in `"access:{user_id}"`, may be anything.
    """
    declared_tags.update(tags)


class KnownTags:
    """The tags that answers are kept under.

    Args:
        tags: as given to `cached_query`.
    """

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags = sorted({*tags, *declared_tags})

    def has_shape(self, template: str) -> bool:
        """Whether a tag that is filled from fields may be one of these; a field is what stands between colons."""
        return any(
            re.fullmatch(_pattern(one, "[^:]*"), _sample(other))
            for known in self._tags
            for one, other in ((known, template), (template, known))
        )

    def has(self, tag: str) -> bool:
        """Whether a tag that is filled is one of these."""
        return any(re.fullmatch(_pattern(known, ".*"), tag, re.DOTALL) for known in self._tags)

    def __str__(self) -> str:
        return ", ".join(self._tags) or "none"


def _pattern(template: str, field: str) -> str:
    return "".join(re.escape(text) + ("" if name is None else field) for text, name, _, _ in parts(template))


def _sample(template: str) -> str:
    return "".join(text + ("" if name is None else "x") for text, name, _, _ in parts(template))


def parts(tag: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """A tag in parts: a text, and the field behind it with its form and its conversion.

    Raises:
        ValueError: a brace stands alone.
    """
    return [*Formatter().parse(tag)]
