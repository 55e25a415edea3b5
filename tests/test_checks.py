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


# Every .py is the template's byte for byte, and `make service` has run all its tests on all servers. What has less of
# it passes its whole `make check` when it has grown, in test_guide.py. So a few are run here.
SOME = ("lint", "imports", "test", "ARGS=tests/core/cqrs/test_bus.py tests/test_main.py -k 'not postgresql'")


def test_each_set_of_files_passes_its_own_checks(kinds: dict[str, BakedProject]) -> None:
    answers = {choice: service.make(*SOME) for choice, service in kinds.items()}
    failed = {
        choice: (answer.stdout + answer.stderr)[-5000:] for choice, answer in answers.items() if answer.returncode
    }
    assert kinds != {}
    assert failed == {}
    assert all(re.search(r"\b\d+ passed", answer.stdout) for answer in answers.values())


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
