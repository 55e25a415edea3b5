"""What the OpenAPI document says about values whose rules are in the domain, such as `Annotated[Text, line(200)]`.

Commands and queries check the rules. A schema here only tells them, and has to tell them exactly: clients are generated
from it, and `make fuzz` of the template sends what it allows.
"""

from typing import Any

from pydantic import ConfigDict, Field

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
"""For patterns: the characters that a line may not have."""
SPACES = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""For patterns: the other characters that a line may not begin or end with."""
WHITE = SPACES + r"\u0009-\u000d\u001c-\u001f\u0085\u2028\u2029"
"""For patterns: all characters that `str.isspace` knows."""


def shaped(**schema: Any) -> Any:
    """These keywords of JSON Schema, for a value that something else checks."""
    return Field(json_schema_extra=schema)


def text(longest: int, shortest: int = 0) -> Any:
    """The shape of what `text_problem` of the domain accepts."""
    return shaped(minLength=shortest, maxLength=longest, pattern=r"^[^\u0000]*$")


def line(longest: int, shortest: int = 1) -> Any:
    """The shape of what `line_problem` of the domain accepts."""
    edge = f"[^{CONTROLS}{SPACES}]"
    return shaped(minLength=shortest, maxLength=longest, pattern=f"^{edge}(?:[^{CONTROLS}]*{edge})?$")


def amount(zeros: int) -> Any:
    """The shape of what `amount_problem` of the domain accepts.

    Args:
        zeros: the largest amount is a one with so many zeros.
    """
    decimals = r"(?:\.[0-9]{1,2})?"
    digits = rf"(?:0|[1-9][0-9]{{0,{zeros - 1}}}){decimals}|10{{{zeros}}}(?:\.0{{1,2}})?"
    number = {"type": "number", "minimum": 0.01, "maximum": 10**zeros, "multipleOf": 0.01}
    return shaped(anyOf=[number, {"type": "string", "pattern": rf"^(?!0(?:\.0+)?$)(?:{digits})$"}])


def body_config(example: dict[str, Any], *, impossible: dict[str, Any] | None = None) -> ConfigDict:
    """The `model_config` of a body: an example, which a test sends, and a schema that the body may not have."""
    more = {} if impossible is None else {"not": impossible}
    return ConfigDict(json_schema_extra={"examples": [example], **more})


def nothing(*fields: str) -> dict[str, Any]:
    """The schema of a body that gives none of these fields; null means the same as leaving one out."""
    return {"properties": {field: {"type": "null"} for field in fields}}
