"""Services with the default answers and the smallest pass their own checks; `make test` counts."""

import re

import pytest

from tests.support import Bake, run

pytestmark = pytest.mark.slow
METADATA = "from importlib.metadata import metadata; print(*metadata('pizza-service_2').items(), sep='\\n')"


# Every .py is the template's byte for byte, and has passed all its tests in place and in a service that has grown. What
# is left to show is that a service with fewer of them misses none. The tests of the bus and of persistence, which use
# nothing that can be left out, are not repeated; `make pairs` runs the whole `make check` of services with all choices.
REPEATED = "--ignore=tests/core/cqrs --ignore=tests/persistence"
BUT_THE_REPEATED = ("check", f"ARGS=-m 'not integration' {REPEATED}")
EDGES = "tests/test_main.py tests/test_dependencies.py tests/api tests/cli tests/domain tests/handlers"
FEWER = ("imports", "test", f"ARGS=-m 'not integration' {EDGES}")


@pytest.mark.parametrize(
    ("answers", "goals"),
    [({}, BUT_THE_REPEATED), ({"sample": "none"}, FEWER)],
    ids=["default", "smallest"],
)
def test_a_service_passes_its_own_checks(answers: dict[str, str], goals: tuple[str, ...], bake: Bake) -> None:
    checked = bake(**answers).make(*goals)
    assert checked.returncode == 0, (checked.stdout + checked.stderr)[-8000:]
    assert re.search(r"\b\d+ passed", checked.stdout)


@pytest.mark.parametrize("answer", ["MIT", "Proprietary"])
def test_odd_answers_install(answer: str, bake: Bake) -> None:
    service = bake(
        project_slug="pizza-service_2",
        project_name="Ünïcode Öl & Söhne (2) #1",
        description="100% 'quoted', #hashed, key = value; [table]",
        author_name="Siobhán O'Neil-Łódź, Ltd. 🍕",
        author_email="first.last+tag@mail.example.co.uk",
        license=answer,
    )

    installed = service.make(".venv/service")

    assert installed.returncode == 0, installed.stderr
    shown = run(".venv/bin/python", "-c", METADATA, cwd=service.path).stdout
    assert "100% 'quoted', #hashed, key = value; [table]" in shown
    assert "Łódź, Ltd. 🍕" in shown
