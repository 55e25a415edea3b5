"""Every answer that changes the set of files is baked, and passes its own checks; `make test` counts."""

import re
from pathlib import Path

import pytest

from scripts.bake import bake_from
from tests.support import Bake, BakedProject, run
from tests.test_choices import CHOICES

pytestmark = pytest.mark.slow
METADATA = "from importlib.metadata import metadata; print(*metadata('pizza-service_2').items(), sep='\\n')"


@pytest.fixture(scope="module")
def kinds(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, BakedProject]:
    """One service for each set of files that an answer can lead to, under the first such answer."""
    first: dict[tuple[str, ...], str] = {}
    baked: dict[str, BakedProject] = {}
    for question, answer in CHOICES:
        service = BakedProject(bake_from(template, tmp_path_factory.mktemp("kind"), **{question: answer}))
        choice = first.setdefault(tuple(service.files()), f"{question}={answer}")
        baked.setdefault(choice, service)
    return baked


# Every .py is the template's byte for byte, and has passed all its tests in place and in a service that has grown. What
# is left to show is that a service with fewer of them misses none: at its edges, where all come together.
WHOLE = "ARGS=-m 'not integration' tests/test_main.py"
FEWER = f"{WHOLE} tests/test_dependencies.py tests/api tests/cli tests/domain tests/handlers"


def test_each_set_of_files_passes_its_own_checks(kinds: dict[str, BakedProject]) -> None:
    most = max(map(python_of, kinds.values()), key=len)
    answers = {
        choice: service.make("lint", "imports", "test", WHOLE)
        if python_of(service) == most
        else service.make("lint", "types", "imports", "test", FEWER)
        for choice, service in kinds.items()
    }
    failed = {
        choice: (answer.stdout + answer.stderr)[-5000:] for choice, answer in answers.items() if answer.returncode
    }
    assert kinds != {}
    assert failed == {}
    assert all(re.search(r"\b\d+ passed", answer.stdout) for answer in answers.values())


def python_of(service: BakedProject) -> set[str]:
    return {name for name in service.files() if name.endswith(".py")}


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
