"""The pages about observing name what is really there."""

import re
from pathlib import Path

import pytest

from app.core.config import all_settings
from support.places import SERVICE
from tests.telemetry.conftest import Visitor

NAMES = ("observing", "shared_cache", "messages_between_services", "traces_and_reports")
PAGE = "\n\n".join((SERVICE / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in NAMES)
LEVELS = {"error": "error|exception", "warning": "warning", "warning, info": "log", "info": "info"}


def rows(title: str) -> list[list[str]]:
    """The rows of the tables that begin with this title."""
    tables = [table.partition("\n\n")[0] for table in PAGE.split(f"| {title} |")[1:]]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()[2:]
    ]


def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in Path(SERVICE, "app").rglob("*.py"))


def test_every_line_is_logged_somewhere_at_that_level() -> None:
    found = rows("line")
    assert len(found) >= 8
    for name, level, _ in found:
        assert re.search(rf'\b(?:{LEVELS[level]})\(\s*"{name.strip("`")}"', sources()), name
    for name in re.findall(r"; `(\w+)` when it is back", PAGE):
        assert f'"{name}"' in sources(), name


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
        assert re.search(rf"^{name}\{{.*{labels}", metrics, re.MULTILINE), name


@pytest.mark.parametrize("name", re.findall(r"`([A-Z]+(?:_[A-Z]+)*)=", PAGE))
def test_every_setting_is_one(name: str) -> None:
    assert name.lower() in all_settings().model_fields
