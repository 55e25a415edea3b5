"""The guide in `docs/`: who follows it has a service whose tests pass, and no line of code that they do not reach."""

import json
import re
from pathlib import Path

import pytest

from app.api.errors import HTTP
from app.core import cqrs
from app.core.config import Settings
from tests.guide import PAGES, blocks, follow, places, python, text_of

PYTEST = ("-m", "pytest", "-q", "-rpfE", "-p", "no:cacheprovider", "-p", "anyio", "-p", "pytest_cov")
ALWAYS = "tests/handlers/test_messages.py"
"""What must be true of every service."""
STATUSES = {"READ_COMMITTED", "REPEATABLE_READ"}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this service, to which everything was done that the guide says."""
    service = tmp_path_factory.mktemp("guide") / "service"
    service.mkdir()
    follow(service)
    return service


def test_who_follows_the_guide_has_a_service_that_works(followed: Path) -> None:
    code = [place for place in places() if place.startswith("app/")]
    (followed / "reached.ini").write_text("\n ".join(["[run]\nconcurrency = thread, greenlet\ninclude =", *code]))
    measured = ("--cov", "--cov-config=reached.ini", "--cov-report=json:reached.json")

    passed = re.findall(r"^PASSED \S+::(\w+)", _tested(followed, "not integration", *measured), re.MULTILINE)

    shown = {name for _, text in blocks() for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}
    assert len(shown) > 20
    assert shown - set(passed) == set()
    reached = json.loads((followed / "reached.json").read_text())["files"]
    missed = {place: reached.get(place, {}).get("missing_lines") for place in code}
    assert {place: lines for place, lines in missed.items() if lines != []} == {}
    # In the style of the house, but that a block which goes on with a file has imports of its own.
    for check in (("check", "--extend-ignore=E402,I001"), ("format", "--diff")):
        style = python(followed, "-m", "ruff", *check, "--no-cache", *places())
        assert style.returncode == 0, style.stdout


@pytest.mark.integration
@pytest.mark.usefixtures("postgres_databases")
def test_it_works_on_postgresql_too(followed: Path) -> None:
    assert "passed" in _tested(followed, "integration")


def test_the_table_of_errors_is_that_of_the_api() -> None:
    rows = re.findall(r"^\| (.+) \| ([A-Z_]+) \| (\d+) \|$", text_of("pipeline"), re.MULTILINE)
    told = {status: int(http) for _, status, http in rows}
    assert told == {status.name: http for status, (http, _) in HTTP.items() if not status.is_success}
    for errors, status, _ in rows:
        for name in re.findall(r"`(\w+)`", errors):
            assert getattr(cqrs, name).status.name == status


def test_each_setting_that_the_guide_names_is_one() -> None:
    named = {name for page in PAGES for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text_of(page))}
    assert "READ_DATABASE_URL" in named
    assert named - {name.upper() for name in Settings.model_fields} - STATUSES == set()


def _tested(service: Path, marked: str, *options: str) -> str:
    """What pytest said of the guide's tests."""
    tests = [place for place in places() if Path(place).name.startswith("test_")]
    done = python(service, *PYTEST, *options, "-m", marked, *tests, ALWAYS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
