"""`make update` and `make choose` find the template and the service, wherever both are."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from scripts.bake import ROOT
from tests.repositories import commit, evolve, say
from tests.support import BakedProject, run

TEMPLATE = 'update choose:\n\t@echo "The service is $$IN, git is at <$$GIT_DIR>."\n'


@pytest.fixture
def service(default: BakedProject, tmp_path: Path) -> BakedProject:
    """A service in a folder with an apostrophe, that counts as installed; its template says what it is told."""
    template, service = tmp_path / "template", tmp_path / "Mario's place"
    template.mkdir()
    (template / "Makefile").write_text(TEMPLATE)
    say("git", "init", "--quiet", cwd=template)
    commit(template, "first")
    shutil.copytree(default.path, service)
    (service / ".cruft.json").write_text(json.dumps({"template": str(template)}))
    (service / ".venv/bin").mkdir(parents=True)
    (service / ".venv/bin/python").symlink_to(sys.executable)
    for name in ("bin/uv", "tools"):
        (service / ".venv" / name).touch()
    return BakedProject(service)


def test_the_template_is_told_where_the_service_is_and_no_hook_of_git_leads_it_astray(service: BakedProject) -> None:
    told = service.make("choose", GIT_DIR=str(service.path / ".git"))
    assert (told.returncode, told.stdout) == (0, f"The service is {service.path}, git is at <>.\n"), told.stderr


def test_a_template_that_cannot_be_cloned_is_told_with_the_cure(service: BakedProject, tmp_path: Path) -> None:
    (tmp_path / "template.zip").touch()
    (service.path / ".cruft.json").write_text(json.dumps({"template": str(tmp_path / "template.zip")}))
    told = service.make("update")
    assert told.returncode != 0
    assert 'Let "template" in .cruft.json be the address of the template as a git repository' in told.stderr
    assert "If it is, git could not reach it: try again later." in told.stderr


def test_the_template_takes_a_folder_with_an_apostrophe(service: BakedProject) -> None:
    (service.path / ".cruft.json").unlink()
    told = run("make", "choose", f"IN={service.path}", "CI=gitlab", cwd=ROOT)
    assert "Mario's place does not say which template it was made from." in told.stderr


def test_the_template_uses_the_index_that_only_pip_knows(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9\n")
    alone = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    told = run("make", "--no-print-directory", "--eval=told: ; @$(INDEX) env", "told", cwd=ROOT, **alone)
    assert "UV_DEFAULT_INDEX=http://127.0.0.1:9\n" in told.stdout


def test_a_repository_that_git_refuses_is_no_repository_without_a_commit(
    source: Path, first_service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    code, said = evolve(source, first_service, "choose", "CI=gitlab")
    assert (code, said.startswith("git cannot read pizzeria: fatal: detected dubious ownership")) == (1, True), said
