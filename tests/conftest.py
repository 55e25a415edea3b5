"""The template as git sees it, and services baked from it."""

from pathlib import Path

import pytest

from scripts.bake import bake_from, copy_template
from tests.support import Bake, BakedProject

collect_ignore = ["grown"]  # a team's code and tests, which run in a service


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows of the template."""
    return copy_template(tmp_path_factory.mktemp("source") / "template")


@pytest.fixture
def bake(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """Bake a service with these answers, and the default for each one left out."""
    return lambda **answers: BakedProject(bake_from(template, tmp_path_factory.mktemp("baked"), **answers))


@pytest.fixture(scope="session")
def default(template: Path, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A service with the default answers, for tests that only read it."""
    return BakedProject(bake_from(template, tmp_path_factory.mktemp("default")))
