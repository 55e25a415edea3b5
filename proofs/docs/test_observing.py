"""The pages about observing name what is really there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from support.places import SERVICE
from tests.telemetry.conftest import Visitor

NAMES = ("observing", "shared_cache", "messages_between_services", "traces_and_reports")
PAGE = "\n\n".join((SERVICE / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in NAMES)
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
UNLISTED = {
    "reaction_failed": "only on a bus without a relay",
    "payments_faked": "of the sample",
    "declined_order_not_cancelled": "of the sample",
}
"""Warnings and errors that no page lists -> why."""
RECORDS = {"command", "admin_override"}
"""Lines of the audit log, which are no events of the service."""
HAPPENED = re.compile("[a-z]+ed|begun|cut|dead|found|given|known|left|lost|made|sent|swept|unknown|unreadable")


def rows(title: str) -> list[list[str]]:
    """The rows of the tables that begin with this title."""
    tables = [table.partition("\n\n")[0] for table in PAGE.split(f"| {title} |")[1:]]
    lines = (line for table in tables for line in table.splitlines()[2:] if not line.startswith("#%"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def emitted() -> Iterator[tuple[str, str]]:
    """The events that the code logs, each with a level."""
    for file in Path(SERVICE, "app").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(ast.Attribute(receiver, name), [ast.Constant(str(event)), *_]) if name in LEVELS:
                    if "log" in ast.unparse(receiver):
                        yield event, LEVELS[name]
                case ast.Call(ast.Name("log"), [ast.Constant(str(event)), *_]):
                    yield from ((event, "warning"), (event, "info"))
                case ast.Call(ast.Name("tell_of"), [ast.Constant(str(event)), *_]):
                    yield event, "error"


EMITTED = sorted({*emitted()})


def test_every_warning_and_error_is_on_a_page_at_its_level_and_nothing_else_is() -> None:
    listed = {
        (name, level)
        for names, levels, _ in rows("line")
        for name in re.findall(r"`(\w+)`", names)
        for level in levels.split(", ")
    }
    urgent = {(event, level) for event, level in EMITTED if level in ("warning", "error")}
    assert urgent - listed == {(event, level) for event, level in urgent if event in UNLISTED}
    assert listed - {*EMITTED} == set()
    assert {*re.findall(r"; `(\w+)` when it is back", PAGE)} <= {event for event, _ in EMITTED}


def test_every_line_is_named_by_a_noun_and_what_happened_to_it() -> None:
    names = {event for event, _ in EMITTED} - RECORDS
    assert [name for name in names if not any(map(HAPPENED.fullmatch, name.split("_")[1:]))] == []


def test_every_field_is_on_some_line(visitor: Visitor) -> None:
    visitor.signs_in()
    visitor.post("/mishaps/signed-in/Refuse")
    visitor.post("/mishaps/signed-in/Divide")
    there = {field for name in ("operation_refused", "operation_failed") for field in visitor.lines(name)[0]}
    named = {name for cell, _ in rows("field") for name in re.findall(r"`(\w+)`", cell)}
    assert len(named) >= 7
    assert named <= there


def test_every_metric_is_there(visitor: Visitor) -> None:
    visitor.post("/mishaps/Divide")
    metrics = visitor.service.client.get("/metrics").text
    named = [re.findall(r"`(\w+)(?:\{(.*?)\})?`", cell)[0] for cell, _ in rows("alert on") if "_" in cell]
    assert len(named) >= 4
    for name, labels in named:
        assert re.search(rf"^{name}[{{ ].*{labels}", metrics, re.MULTILINE), name
