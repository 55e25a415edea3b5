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
"""The rest of the pipeline; what it returns is what the middleware has to return."""

Middleware = Callable[[Any, NextHandler], Awaitable[OperationResult[Any]]]
"""Takes the operation (a command or query) and the rest of the pipeline."""


class PipelineBehavior(Injected, ABC, Generic[M]):
    """Stands around messages of type `M`: a class of messages, a common base of several, or any.

    Annotated attributes are dependencies, as with handlers. It is built once, when the service starts.
    """

    @abstractmethod
    async def handle(self, message: M, next_handler: NextHandler) -> OperationResult[Any]:
        """Do something before, after or instead of `await next_handler()`, and return its result."""

    @classmethod
    def message_type(cls) -> Any:
        """The `M` of this behaviour; Any when it says nothing."""
        return type_argument(cls, PipelineBehavior)
