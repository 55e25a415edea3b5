"""`PipelineBehavior`: a middleware as a class, for messages of one type."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Generic

from typing_extensions import TypeVar

from app.core.cqrs.generics import type_argument
from app.core.cqrs.injected import Injected
from app.core.cqrs.results import OperationResult

M = TypeVar("M", default=Any)

NextHandler = Callable[[], Awaitable[OperationResult[Any]]]
"""The rest of the pipeline; a middleware returns the result of it, or a result of its own."""

Middleware = Callable[[Any, NextHandler], Awaitable[OperationResult[Any]]]
"""Takes the operation (a command or query) and the rest of the pipeline; returns a result."""


class PipelineBehavior(Injected, ABC, Generic[M]):
    """A middleware around messages of type `M`: a message class, a common base of several, or Any.

    Annotated attributes are dependencies, as with handlers. A behaviour is built once, when the service starts.
    """

    @abstractmethod
    async def handle(self, message: M, next_handler: NextHandler) -> OperationResult[Any]:
        """Act before, after or instead of `await next_handler()`, and return its result or another one."""

    @classmethod
    def message_type(cls) -> Any:
        """The `M` of this behaviour; Any if it declares none."""
        return type_argument(cls, PipelineBehavior)
