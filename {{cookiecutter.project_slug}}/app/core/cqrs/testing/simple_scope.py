"""A container for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from inspect import signature
from typing import TypeVar, get_type_hints

T = TypeVar("T")


class SimpleScope:
    """A container without rules: hands out the given objects by their class, and builds others from them."""

    def __init__(self, *given: object) -> None:
        self.given = [*given]
        self.opened = 0
        self.closed = 0

    async def get(self, dependency_type: type[T], /) -> T:
        """A given object of this type, or a new one made of such."""
        for candidate in self.given:
            if isinstance(candidate, dependency_type):
                return candidate
        hints = get_type_hints(dependency_type.__init__)
        needed = [p.name for p in signature(dependency_type).parameters.values() if p.default is p.empty]
        return dependency_type(**{name: await self.get(hints[name]) for name in needed})

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator["SimpleScope"]:
        """A scope; `opened` and `closed` count them."""
        self.opened += 1
        try:
            yield self
        finally:
            self.closed += 1
