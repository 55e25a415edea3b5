"""The template as git sees it, and services baked from it."""

import shutil
from pathlib import Path

import pytest

from scripts.bake import ROOT, bake_from, copy_template
from tests.repositories import baked, commit, say
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


@pytest.fixture(scope="session")
def source(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as a git repository of one commit, with the programs of an update, and without releases."""
    folder = tmp_path_factory.mktemp("repository") / "template"
    shutil.copytree(template, folder)
    for name in ("UPGRADES.md", "origin.json", ".gitattributes"):
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "releases.json").write_text("{}\n")
    (folder / ".gitignore").write_text("__pycache__/\n")
    say("git", "init", "--quiet", "--initial-branch", "main", cwd=folder)
    commit(folder, "first")
    return folder


@pytest.fixture
def growing_source(source: Path, tmp_path: Path) -> Path:
    """A copy of it, for tests that add commits."""
    return Path(shutil.copytree(source, tmp_path / "template"))


@pytest.fixture(scope="session")
def first_service(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with the default answers."""
    return baked(source, tmp_path_factory.mktemp("first"))


@pytest.fixture
def service(first_service: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(first_service, tmp_path / "service/pizzeria"))
