"""The lines of the table, and the bar that our bus must keep on each."""

from dataclasses import dataclass
from enum import StrEnum


class Line(StrEnum):
    """What is measured; cases on one line do the same task."""

    FLOOR = "a direct call of the handler"
    SLOW_FLOOR = "a direct call of a handler that suspends once"
    PLAIN = "a command, nothing declared"
    QUERY = "a query, nothing declared"
    EQUAL = "a command, with error boundary, result and nesting detection"
    FRESH = "a command made and sent"
    THREE = "a command through three middlewares"
    EVENT = "an event to three handlers"
    SCOPE = "a command in a request scope with one dependency"
    VALIDATED = "a command with validate(), inside the context of its operation"
    READING = "the same, its handler reading that context: self.bus"
    ONE_TYPE = "one message type"
    FIFTY_TYPES = "fifty message types in turn"
    DEADLINE = "the default deadline, a handler that does not suspend"
    SLOW = "a handler that suspends once, no deadline"
    SLOW_DEADLINE = "a handler that suspends once, the default deadline"
    SHIPPED = "as shipped: request scope, deadline, metrics, logging"


@dataclass(frozen=True)
class Bar:
    """The most that our bus may cost on a line, in floors."""

    line: Line
    at_most: float
    beyond: Line | None = None
    """Count only what the line costs more than this one."""
    aim: float | None = None
    unit: str = "floors"


BARS = (
    Bar(Line.PLAIN, 5),
    Bar(Line.VALIDATED, 6.5),
    Bar(Line.THREE, 12, aim=7.5),
    Bar(Line.FIFTY_TYPES, 1.2, unit="times one type"),
    Bar(Line.EVENT, 5),
    Bar(Line.DEADLINE, 10, beyond=Line.PLAIN),
    Bar(Line.SHIPPED, 80),
)

OURS = "ours"
