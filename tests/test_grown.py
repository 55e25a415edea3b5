"""A service whose owners have followed the guide in `docs/` and gone on: all that came with it still passes.

`make test` has run in place what needs a server, and the tests of the bus, so that the rest is left to be run here.
"""

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from scripts.bake import ROOT, bake_from
from tests.features import Outcomes, all_rows, not_kept, outcomes_in
from tests.growing import GROWN, grow
from tests.guide import PAGES, blocks, follow, places, text_of
from tests.support import MOST, BakedProject, run

SELECTED = "-m 'not integration' --ignore=tests/core/cqrs"
KNOWN = {"MYPY_CACHE_DIR": str(ROOT / ".cache/mypy")}
"""What mypy knows of the same files from its run in place."""
STATUSES = {"READ_COMMITTED", "REPEATABLE_READ"}
IN_PLACE = [ROOT / ".cache" / name for name in ("report.xml", "proofs.xml", "covered.xml")]
"""What `make test` says of the service's tests that it has run in place, and of the proofs."""
ERRORS = """
import json
from app.api.errors import HTTP
from app.core import cqrs
from app.core.config import all_settings
print(json.dumps({
    "http": {status.name: http for status, (http, _) in HTTP.items()},
    "errors": {name: error.status.name for name, error in vars(cqrs).items()
               if isinstance(error, type) and issubclass(error, cqrs.CQRSError)},
    "settings": [name.upper() for name in all_settings().model_fields],
}))
"""


@pytest.fixture(scope="module")
def grown(template: Path, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A service to which everything was done that the guide says, and what a team adds."""
    service = BakedProject(bake_from(template, tmp_path_factory.mktemp("grown"), **MOST))
    installed = service.make("install")
    assert installed.returncode == 0, installed.stderr
    follow(service)
    grow(service)
    formatted = service.make("format")
    assert formatted.returncode == 0, formatted.stdout
    return service


@pytest.fixture(scope="module")
def outcomes(grown: BakedProject) -> Outcomes:
    """What `make check` says of its tests."""
    report = grown.path / "report.xml"
    checked = grown.make("check", "WORKERS=3", f"ARGS={SELECTED} --junitxml={report}", **KNOWN)
    assert checked.returncode == 0, checked.stdout[-8000:] + checked.stderr[-8000:]
    return outcomes_in(report)


@pytest.mark.slow
def test_its_whole_check_passes(outcomes: Outcomes) -> None:
    assert sum(outcome["passed"] for outcome in outcomes.values()) > 1200


@pytest.mark.slow
def test_the_tests_of_all_features_have_passed_there_or_in_place(outcomes: Outcomes) -> None:
    required = os.environ.get("REQUIRE_SERVICES") == "1"
    if not all(report.exists() for report in IN_PLACE) and not required:
        pytest.skip(
            "`make test` has not run the tests in place, which says of those that need servers whether they pass."
        )
    in_place = outcomes_in(*IN_PLACE)
    both = {test: Counter(outcomes.get(test)) + Counter(in_place.get(test)) for test in {*outcomes, *in_place}}
    assert not_kept(all_rows(), both, servers_are_required=required) == []


@pytest.mark.slow
def test_the_tests_of_the_guide_reach_each_line_of_it_on_all_databases(grown: BakedProject) -> None:
    code = [place for place in places(grown) if place.startswith("app/")]
    (grown.path / "reached.ini").write_text("\n ".join(["[run]\nconcurrency = thread, greenlet\ninclude =", *code]))
    measured = ("--cov", "--cov-config=reached.ini", "--cov-report=json:reached.json")
    tests = [place for place in places(grown) if Path(place).name.startswith("test_")]
    tests += [path.relative_to(GROWN).as_posix() for path in GROWN.rglob("test_*.py")]

    done = run(".venv/bin/python", "-m", "pytest", "-rpfE", "-n", "3", *measured, *tests, cwd=grown.path)

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
def test_chaos_finds_the_commands_of_the_team(grown: BakedProject) -> None:
    chosen = ("--rolled-back", "-q", "-m", "not integration", "tests/handlers/billing")
    done = run(".venv/bin/python", "-m", "pytest", *chosen, cwd=grown.path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
    repeated = re.search(r"(\d+) commands were rolled back and repeated; no test commits (.+)", done.stdout)
    assert repeated, done.stdout
    assert int(repeated[1]) > 1
    assert "InvoiceCommand" not in repeated[2]


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
    assert named - set(known["settings"]) - STATUSES == {"POSTGRES_PASSWORD"}, "That is of compose.yaml."
