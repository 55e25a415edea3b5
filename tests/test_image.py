"""The image of a service, built and run without Docker."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bake import bake_from
from scripts.image.__main__ import try_out
from scripts.image.build import Built, Context, build
from scripts.image.dockerfile import DockerfileError, stages_of
from scripts.image.roots import why_not
from tests.deployed import open_folder
from tests.support import BakedProject


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("FROM python:3.13\nADD app app\n", "ADD is not known here"),
        ("FROM python:3.13\nCOPY --chmod=1 app app\n", "COPY with --chmod is not known here"),
        ("FROM python:${VERSION}\n", "has no value before the first FROM"),
        ("RUN true\n", "RUN is not known here"),
    ],
)
def test_an_unknown_instruction_is_refused(text: str, problem: str) -> None:
    with pytest.raises(DockerfileError, match=re.escape(problem)):
        stages_of(text)


def test_a_command_in_shell_form_is_refused() -> None:
    (stage,) = stages_of("FROM python:3.13\nCMD app run\n")
    with pytest.raises(DockerfileError, match="write it in exec form"):
        stage.last("CMD").command()


@pytest.fixture(scope="module")
def image(template: Path) -> Iterator[Built]:
    """The image of a service with many extras."""
    if reason := why_not():
        pytest.skip(f"The image was not built, because {reason}.")
    with open_folder() as folder:
        answers = {"broker": "nats", "cache": "redis", "telemetry": "full"}
        service = BakedProject(bake_from(template, folder, **answers))
        (service.path / ".env").write_text("SECRET_KEY=not for the image\n")
        stages = stages_of(service.text("Dockerfile"))
        yield build(stages, Context(service.path), folder / "stages")[-1]


@pytest.mark.slow
def test_the_image_runs_read_only_and_ends_with_success(image: Built, capsys: pytest.CaptureFixture[str]) -> None:
    with open_folder() as folder:
        try_out(image, folder)
    assert "Ran as user 10001 on a read-only root, and ended with 0 after SIGTERM." in capsys.readouterr().out


@pytest.mark.slow
def test_an_image_that_would_run_as_root_is_noticed(image: Built) -> None:
    with open_folder() as folder, pytest.raises(DockerfileError, match="runs as user 0"):
        try_out(replace(image, user="0:0"), folder)


@pytest.mark.slow
def test_the_image_has_bytecode_and_extras_and_no_secrets(image: Built) -> None:
    (packages,) = (image.root.root / "opt" / "venv" / "lib").glob("python*/site-packages")
    sources = [file for file in (packages / "app").rglob("*.py") if "migrations" not in file.parts]
    assert [file for file in sources if not [*file.parent.glob(f"__pycache__/{file.stem}.*.pyc")]] == []
    assert {"nats", "redis", "sentry_sdk", "opentelemetry"} <= {path.name for path in packages.iterdir()}
    assert [*image.root.root.rglob("*.env*")] == []
