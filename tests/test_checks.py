"""Services with the default answers and the smallest pass their own checks; `make test` counts."""

import re
import sys
from pathlib import Path

import pytest

from scripts.bake import bake_from
from tests.support import Bake, BakedProject, run

pytestmark = pytest.mark.slow
METADATA = "from importlib.metadata import metadata; print(*metadata('pizza-service_2').items(), sep='\\n')"


# Every .py is the template's byte for byte, and has passed lint, types and all its tests in place and in a service that
# has grown. What is left to show is that a service with fewer of them misses none: by the tests that start it, and by
# the engine's beside what can be left out. `make pairs` and `make drill` run the whole `make check` of services.
SELECTED = "ARGS=-m 'not integration'"
OF_WHOLE_SERVICES = f"{SELECTED} --ignore=tests/handlers/order --ignore=tests/domain --ignore=tests/read_models"
BESIDE_CHOICES = f"{SELECTED} tests/adapters tests/composition tests/telemetry"
EDGES = (
    f"{SELECTED} tests/test_main.py tests/test_dependencies.py tests/api tests/cli tests/domain tests/handlers "
    "tests/persistence"
)


@pytest.mark.parametrize(
    ("answers", "runs"),
    [
        ({}, [("imports", "test", OF_WHOLE_SERVICES), ("engine", BESIDE_CHOICES)]),
        ({"sample": "none"}, [("imports", "test", EDGES)]),
    ],
    ids=["default", "smallest"],
)
def test_a_service_passes_its_own_checks(answers: dict[str, str], runs: list[tuple[str, ...]], bake: Bake) -> None:
    service = bake(**answers)
    for goals in runs:
        checked = service.make(*goals)
        assert checked.returncode == 0, (checked.stdout + checked.stderr)[-8000:]
        assert re.search(r"\b\d+ passed", checked.stdout)


def test_odd_answers_install_in_a_folder_with_a_space(bake: Bake) -> None:
    baked = bake(
        project_slug="pizza-service_2",
        project_name="Ünïcode Öl & Söhne (2) #1",
        description="100% 'quoted', #hashed, key = value; [table]",
        author_name="Siobhán O'Neil-Łódź, Ltd. 🍕",
        author_email="first.last+tag@mail.example.co.uk",
        license="Proprietary",
    )
    service = BakedProject(baked.path.rename(baked.path.with_name("a service")))

    installed = service.make(".venv/service")

    assert installed.returncode == 0, installed.stderr
    shown = run(".venv/bin/python", "-c", METADATA, cwd=service.path).stdout
    assert "100% 'quoted', #hashed, key = value; [table]" in shown
    assert "Łódź, Ltd. 🍕" in shown


@pytest.fixture(scope="module")
def with_uv(template: Path, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A service that has uv, but is not installed yet."""
    service = BakedProject(bake_from(template, tmp_path_factory.mktemp("with_uv")))
    assert service.make(".venv/bin/uv").returncode == 0
    return service


def test_pins_are_renewed_from_a_file_with_conflicts(with_uv: BakedProject) -> None:
    pins = with_uv.path / "constraints.txt"
    pins.write_text(f"<<<<<<< ours\nalembic==1.0\n=======\nalembic==2.0\n>>>>>>> theirs\n{pins.read_text()}")

    renewed = with_uv.make("pins")

    assert renewed.returncode == 0, renewed.stderr
    assert re.findall(r"^(?:[<=>]{7}|alembic==).*", pins.read_text(), re.MULTILINE)[0].startswith("alembic==1.20")


def test_the_index_that_only_pip_knows_is_used(with_uv: BakedProject, tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9\n")
    alone = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}

    installed = with_uv.make(".venv/service", **alone)

    assert installed.returncode != 0
    assert "127.0.0.1:9" in installed.stderr


def test_a_python_that_is_asked_for_is_not_replaced_in_silence(bake: Bake) -> None:
    service = bake()
    (service.path / ".venv/bin").mkdir(parents=True)
    (service.path / ".venv/bin/python").write_text("#!/bin/sh\necho 3.9\n")
    (service.path / ".venv/bin/python").chmod(0o755)

    asked = service.make("install", f"PYTHON={sys.executable}")

    assert asked.returncode != 0
    assert ".venv has Python 3.9, not that of PYTHON=" in asked.stderr
    assert service.make("help").returncode == 0
