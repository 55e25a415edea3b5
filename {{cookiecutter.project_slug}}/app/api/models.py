"""Base classes for request bodies: strict JSON types, no unknown fields, and only values that can be stored."""

import json
from collections.abc import Callable
from contextvars import ContextVar
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, core_schema, to_json

from app.api.errors import field_errors
from app.api.shapes import text
from app.api.storable import (
    DECIMAL,
    MOST_DIGITS,
    MOST_VALUES,
    count_problems,
    is_json,
    made_problems,
    require,
    sent_problems,
)
from app.core.cqrs import Pagination, QueryResult, ValidationError
from app.domain.text import text_problem

T = TypeVar("T")

MOST_PROBLEMS = 1000
"""A body with more gets one sentence: to list them would take several times as long as to find them."""
LONGEST_TEXT = 10_000
_is_read: ContextVar[bool] = ContextVar("is_read", default=False)
"""Whether an enclosing body is being validated, which then checks its parts."""


class Body(BaseModel):
    """The base of request bodies, and of their parts. Rules beyond types belong to the command or query.

    Strict in JSON's terms: a JSON number is not text, text is not a number, and `true` is not 1, but `1.0` is. Types
    that JSON lacks are read from text: `UUID`, `Decimal` (a number too, if a float holds it exactly), `date`,
    `datetime` (with zone), `time` (without), `timedelta`, `Enum`, and `bytes` as base64; a list may be a tuple, a set
    or a frozenset. What cannot be stored is refused in every type. When a body is constructed in Python, nothing is
    converted.
    """

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True, val_json_bytes="base64")
    most_values: ClassVar[int] = MOST_VALUES
    """How many values it may hold, in all its lists and objects; a body that is larger on purpose sets its own."""

    def __init__(self, /, **data: Any) -> None:
        reading = _is_read.set(True)
        try:
            super().__init__(**data)
        finally:
            _is_read.reset(reading)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # pydantic need not call it when it reads

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Read JSON that is not the body of a request, such as a message of a WebSocket.

        Raises:
            ValidationError: (of the bus) if it is invalid. If the endpoint does not catch it, the WebSocket is closed.
        """
        try:
            sent = json.loads(text)
            require(cls.__name__, count_problems(sent, cls.most_values))
            return cls.model_validate(sent)
        except pydantic.ValidationError as error:
            errors = field_errors(each | {"loc": ("message", *each["loc"])} for each in error.errors())
            said = "; ".join(f"{field}: {problem}" for field, problem in errors.items())
            raise ValidationError(f"The message is not valid: {said}.", details=errors) from None
        except (ValueError, RecursionError):
            raise ValidationError("The message is not JSON.") from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate JSON text as it is; serialize objects that FastAPI has parsed from JSON to JSON again first."""
        schema: Any = handler(source)
        if schema["type"] != "model":
            return schema  # type: ignore[no-any-return]  # of a class that is complete
        name = schema.pop("ref", None)  # the whole gets it, so that JSON schemas refer to it
        read = core_schema.with_info_wrap_validator_function(cls._read, schema)
        return core_schema.json_or_python_schema(schema, read, ref=name)

    @classmethod
    def _read(cls, sent: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Self:
        if _is_read.get() or not isinstance(sent, dict):
            return handler(sent)  # type: ignore[no-any-return]
        require(cls.__name__, sent_problems(sent))
        if not is_json(sent):
            return handler(sent)  # type: ignore[no-any-return]
        reading = _is_read.set(True)
        try:
            made = cls._made(sent, info.context)
        except pydantic.ValidationError as error:
            if error.error_count() > MOST_PROBLEMS:
                require(cls.__name__, iter([((), f"has more than {MOST_PROBLEMS} problems")]))
            raise
        finally:
            _is_read.reset(reading)
        require(cls.__name__, made_problems(sent, made))
        return made

    @classmethod
    def _made(cls, sent: Any, context: Any) -> Self:
        read = partial(cls.model_validate_json, strict=True, context=context)
        text = to_json(sent)
        try:
            return read(text)
        except pydantic.ValidationError:  # rare, so that ordinary bodies are not looked through for such numbers
            with_whole_numbers = to_json(_with_whole_numbers(sent))
            if with_whole_numbers == text:
                raise
        return read(with_whole_numbers)


def _with_whole_numbers(sent: Any) -> Any:
    """The same JSON with `1` for `1.0`: JSON Schema, and some languages, do not tell them apart."""
    if isinstance(sent, dict):
        return {name: _with_whole_numbers(value) for name, value in sent.items()}
    if isinstance(sent, list):
        return [_with_whole_numbers(value) for value in sent]
    return int(sent) if isinstance(sent, float) and sent.is_integer() else sent


def _checked(value: str) -> str:
    if problem := text_problem(value, LONGEST_TEXT):
        raise ValueError(problem)
    return value


Text = Annotated[str, AfterValidator(_checked), text(LONGEST_TEXT)]
"""Text that every database accepts: no NUL, no lone surrogates, at most `LONGEST_TEXT` characters."""

Amount = Annotated[
    Decimal,
    Field(
        max_digits=MOST_DIGITS,
        allow_inf_nan=False,
        json_schema_extra={"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{DECIMAL.pattern}$"}]},
    ),
]
"""An amount of money, as text such as `"12.99"`, or as a number. `app.domain.money` has its rules."""


class PageOf(BaseModel, Generic[T]):
    """A page of a list, and its position in the whole."""

    items: list[T]
    pagination: Pagination


def page_of(result: QueryResult[Any]) -> Callable[[object], dict[str, object]]:
    """A function that makes the content of a `PageOf` from the items of a query's result."""
    return lambda items: {"items": items, "pagination": result.pagination}
