"""Twenty names in a row, of each kind, are green as `app new` writes them; and an installed service refuses."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.bake import bake_from
from tests.support import Bake, BakedProject, run

AGGREGATES = {
    "invoice": "void_invoice",
    "credit_note": "mark_credit_note_paid",
    "company": "leave_company",
    "address": "verify_address",
    "box": "ship_box",
    "hour": "cancel_hour",
    "unit": "stop_unit",
    "umbrella": "lend_umbrella",
    "one_off": "carry_one_off",
    "status_report": "send_status_report",
    "analysis": "reopen_analysis",
    "x_ray": "archive_x_ray",
    "ticket": "close_ticket",
    "ticket_type": "rename_ticket_type",
    "day_trip": "pay_day_trip",
    "iso9001_audit": "pass_iso9001_audit",
    "euro_account": "raise_euro_account",
    "delivery": "take_events_delivery",
    "subscription_agreement": "do_subscription_agreement",
    "supplementary_obligations_x": "end_supplementary_obligations_x",
}
"""Aggregate -> a command of it: articles, plurals, participles, words of Python and of the base class, long names."""
LOOP = """
import sys
from typer.testing import CliRunner
from app.cli import app
for line in sys.stdin:
    done = CliRunner().invoke(app, ["new", *line.split()])
    print(done.output)
    assert done.exit_code == 0, line
"""
SERVICES_OWN = (
    "tests/handlers/test_messages.py",
    "tests/composition/test_doors.py",
    "tests/domain/test_events.py",
    "tests/api/test_document.py",
)


def python(service: BakedProject, *words: str, stdin: str = "") -> str:
    """Run Python in a service that is not installed, with what the template has; what it prints."""
    done = run(sys.executable, *words, cwd=service.path, stdin=stdin, SERVICE_NAME="app")
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
    return done.stdout


@pytest.fixture(scope="module")
def written(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[BakedProject, list[str]]:
    """A service with a use case of each kind for each name, and the files of them."""
    service = BakedProject(
        bake_from(template, tmp_path_factory.mktemp("new"), sample="none", project_slug="help-desk_2")
    )
    said = [python(service, "-c", LOOP, stdin="\n".join(f"aggregate {noun}" for noun in AGGREGATES))]
    said.append(
        python(service, "-c", LOOP, stdin="\n".join(f"command {noun}/{name}" for noun, name in AGGREGATES.items()))
    )
    events = {
        noun: re.findall(r"^class (\w+)", service.text(f"app/domain/{noun}_events.py"), re.MULTILINE)[-1]
        for noun in AGGREGATES
    }
    lines = [
        *(f"query {noun}/find_{noun}" for noun in AGGREGATES),
        *(f"event_handler {noun}/tell_{noun} --event {event}" for noun, event in events.items()),
        *(f"projection {noun}/{noun}_days" for noun in AGGREGATES),
    ]
    said.append(python(service, "-c", LOOP, stdin="\n".join(lines)))
    return service, sorted({*re.findall(r"^(?:new    |changed)  (\S+)$", "".join(said), re.MULTILINE)})


@pytest.mark.weekly  # `app new` itself refuses what lint would, and `test_grown.py` checks one of each kind
def test_twenty_names_of_each_kind_are_clean(written: tuple[BakedProject, list[str]]) -> None:
    service, files = written
    assert len(files) == 20 * (13 + 3 + 2 + 2 + 4)
    code = [file for file in files if "/migrations/" not in file]
    checks = (
        ("ruff", "check", "--no-cache", "app", "tests"),
        ("ruff", "format", "--no-cache", "--check", "app", "tests"),
        ("mypy", "--cache-dir", "/dev/null", *code),
        ("pyright", "--pythonpath", sys.executable, *code),
    )
    with ThreadPoolExecutor() as at_once:
        assert len([*at_once.map(lambda check: python(service, "-m", *check), checks)]) == len(checks)
    assert run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache", cwd=service.path).returncode == 0


@pytest.mark.weekly  # `proofs/cli` runs the test of each kind once for each change
def test_twenty_names_of_each_kind_pass_their_tests(written: tuple[BakedProject, list[str]]) -> None:
    service, files = written
    tests = [file for file in files if "/test_" in file]
    few = ("-q", "-n", "2", "-p", "no:cacheprovider", "-m", "not integration")
    said = python(service, "-m", "pytest", *few, *tests, *SERVICES_OWN)
    assert int(re.findall(r"(\d+) passed", said)[0]) > 20 * 9
    python(service, "-m", "app", "db", "upgrade")
    assert "every migration" in python(service, "-m", "app", "db", "check")


def test_an_installed_service_has_nothing_to_write_from(bake: Bake, tmp_path: Path) -> None:
    installed = bake().installed(tmp_path)
    refused = run(sys.executable, "-m", "app", "new", "aggregate", "invoice", cwd=installed)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "work in a checkout of the service" in refused.stderr
