"""The guide in `docs/`: who follows it has a service whose checks pass, and no line of code that tests do not reach.

A team does not stop there. So the same service grows by what a team adds in its first weeks, and passes again what came
with it.
"""

import json
import os
import re
from pathlib import Path

import pytest

from scripts.bake import bake_from
from tests.growing import GROWN, grow
from tests.guide import PAGES, blocks, follow, places, text_of
from tests.support import BakedProject, run

STATUSES = {"READ_COMMITTED", "REPEATABLE_READ"}
ITS_TESTS = pytest.mark.skipif("GROWN" not in os.environ, reason="GROWN=1 runs all tests of a service that has grown.")
ERRORS = """
import json
from app.api.errors import HTTP
from app.core import cqrs
from app.core.config import Settings
print(json.dumps({
    "http": {status.name: http for status, (http, _) in HTTP.items() if not status.is_success},
    "errors": {name: error.status.name for name, error in vars(cqrs).items()
               if isinstance(error, type) and issubclass(error, cqrs.CQRSError)},
    "settings": [name.upper() for name in Settings.model_fields],
}))
"""


@pytest.fixture(scope="module")
def grown(template: Path, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A service to which everything was done that the guide says, and what a team adds."""
    sample = os.environ.get("GROWN_SAMPLE", "none")
    service = BakedProject(bake_from(template, tmp_path_factory.mktemp("grown"), sample=sample))
    installed = service.make("install")
    assert installed.returncode == 0, installed.stderr
    follow(service)
    grow(service)
    formatted = service.make("format")
    assert formatted.returncode == 0, formatted.stdout
    return service


@pytest.mark.slow
def test_who_follows_the_guide_and_goes_on_has_a_service_in_good_style_and_typed(grown: BakedProject) -> None:
    typed = run(".venv/bin/mypy", cwd=grown.path)
    checked = grown.make("lint", "imports")
    assert (typed.returncode, checked.returncode) == (0, 0), (typed.stdout + checked.stdout + checked.stderr)[-8000:]


@ITS_TESTS
@pytest.mark.slow
def test_its_whole_check_passes(grown: BakedProject) -> None:
    checked = grown.make("check", "WORKERS=4", "ARGS=-k 'not postgresql and not integration'")
    assert checked.returncode == 0, (checked.stdout + checked.stderr)[-8000:]


@ITS_TESTS
@pytest.mark.slow
def test_the_tests_of_the_guide_reach_each_line_of_it_on_all_databases(grown: BakedProject) -> None:
    code = [place for place in places(grown) if place.startswith("app/")]
    (grown.path / "reached.ini").write_text("\n ".join(["[run]\nconcurrency = thread, greenlet\ninclude =", *code]))
    measured = ("--cov", "--cov-config=reached.ini", "--cov-report=json:reached.json")
    tests = [place for place in places(grown) if Path(place).name.startswith("test_")]
    tests += [path.relative_to(GROWN).as_posix() for path in GROWN.rglob("test_*.py")]

    done = run(".venv/bin/python", "-m", "pytest", "-rpfE", "-n", "4", *measured, *tests, cwd=grown.path)

    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
    passed = set(re.findall(r"^PASSED \S+::(\w+)", done.stdout, re.MULTILINE))
    shown = {
        name for _, text in blocks(grown) for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)
    }
    assert len(shown) > 20
    assert shown - passed == set()
    reached = json.loads((grown.path / "reached.json").read_text())["files"]
    missed = {place: reached.get(place, {}).get("missing_lines") for place in code}
    assert {place: lines for place, lines in missed.items() if lines != []} == {}


@pytest.mark.slow
def test_what_the_guide_says_of_errors_and_settings_is_so(grown: BakedProject) -> None:
    said = run(".venv/bin/python", "-c", ERRORS, cwd=grown.path)
    known = json.loads(said.stdout)
    rows = re.findall(r"^\| (.+) \| ([A-Z_]+) \| (\d+) \|$", text_of(grown, "pipeline"), re.MULTILINE)
    assert {status: int(http) for _, status, http in rows} == known["http"]
    told = {name: status for errors, status, _ in rows for name in re.findall(r"`(\w+)`", errors)}
    assert told.items() <= known["errors"].items()

    named = {name for page in PAGES for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text_of(grown, page))}
    assert "READ_DATABASE_URL" in named
    assert named - set(known["settings"]) - STATUSES == set()
