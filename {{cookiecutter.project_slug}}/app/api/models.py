"""What bodies are made of: in requests nothing is converted, and nothing unknown is passed over."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from app.core.cqrs import Pagination, QueryResult
from app.domain.text import text_problem

T = TypeVar("T")

LONGEST_TEXT = 10_000


class Body(BaseModel):
    """The base of request bodies. Rules beyond types are the message's."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


def _checked(value: str) -> str:
    problem = text_problem(value, LONGEST_TEXT)
    if problem is not None:
        raise ValueError(problem)
    return value


Text = Annotated[str, AfterValidator(_checked)]
"""Text that every database takes: no NUL, no lone surrogates, no novel."""


class PageOf(BaseModel, Generic[T]):
    """A part of a list, and where it stands in the whole."""

    items: list[T]
    pagination: Pagination


def page_of(result: QueryResult[Any]) -> Callable[[object], dict[str, object]]:
    """What makes a `PageOf` of the items that a query answered."""
    return lambda items: {"items": items, "pagination": result.pagination}
