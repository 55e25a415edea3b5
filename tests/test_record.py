"""A service knows the template that it was made from, its commit and its answers."""

import json
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE, hook
from tests.repositories import baked, commit, evolve, say, tool, write
from tests.support import run


def test_a_plain_bake_knows_what_cruft_would_have_recorded(source: Path, tmp_path: Path) -> None:
    plain = json.loads((baked(source, tmp_path / "plain", "broker=nats") / ".cruft.json").read_text())
    (tmp_path / "crufty").mkdir()
    words = ("--no-input", "--extra-context", '{"broker": "nats"}')
    say(tool("cruft"), "create", str(source), *words, cwd=tmp_path / "crufty")
    crufty = json.loads((tmp_path / "crufty/pizzeria/.cruft.json").read_text())

    asked = {question: answer for question, answer in crufty["context"]["cookiecutter"].items() if question[0] != "_"}
    assert plain == {**crufty, "context": {"cookiecutter": asked}}


def test_cruft_itself_works_from_the_first_day(growing_source: Path, tmp_path: Path) -> None:
    service = baked(growing_source, tmp_path / "service")
    write(service, {"README.md": f"{(service / 'README.md').read_text()}\nOur own words.\n"})
    say(tool("cruft"), "check", cwd=service)
    makefile = growing_source / SERVICE / "Makefile"
    makefile.write_text(f"{makefile.read_text()}\n# A later thought.\n")
    commit(growing_source, "later")

    assert run(tool("cruft"), "check", cwd=service).returncode == 1
    say(tool("cruft"), "update", "--skip-apply-ask", cwd=service)

    assert (service / "Makefile").read_text().endswith("# A later thought.\n")
    assert "Our own words." in (service / "README.md").read_text()
    say(tool("cruft"), "check", cwd=service)


def test_a_copy_that_git_has_archived_knows_its_commit(source: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    say("git", "archive", "--output", str(tmp_path / "copy.tar"), "HEAD", cwd=source)
    say("tar", "xf", str(tmp_path / "copy.tar"), cwd=tmp_path / "copy")

    record = json.loads((baked(tmp_path / "copy", tmp_path / "service") / ".cruft.json").read_text())

    assert record["commit"] == say("git", "rev-parse", "HEAD", cwd=source).strip()


def test_a_copy_without_a_commit_says_what_to_do(template: Path, tmp_path: Path) -> None:
    words = ("--no-input", "--output-dir", str(tmp_path), str(template))
    said = say(tool("cookiecutter"), *words, cwd=tmp_path)

    assert "Nothing tells which commit of the template this is" in said
    assert not (tmp_path / "pizzeria/.cruft.json").exists()
    commit(tmp_path / "pizzeria", "baked")
    assert "cruft link" in evolve(ROOT, tmp_path / "pizzeria", "choose", "BROKER=nats")[1]


@pytest.mark.parametrize("remote", ["origin", "upstream"])
def test_the_address_is_the_one_that_others_can_clone(remote: str, growing_source: Path, tmp_path: Path) -> None:
    say("git", "clone", "--quiet", "--origin", remote, str(growing_source), str(tmp_path / "clone"), cwd=tmp_path)

    record = json.loads((baked(tmp_path / "clone", tmp_path / "service") / ".cruft.json").read_text())
    assert record["template"] == str(growing_source)

    commit(tmp_path / "clone", "not pushed")
    record = json.loads((baked(tmp_path / "clone", tmp_path / "other") / ".cruft.json").read_text())
    assert record["template"] == str(tmp_path / "clone")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://mario:p@ss@code.example/t.git", "https://code.example/t.git"),
        ("HTTP://token@code.example:8443/t@2.git", "HTTP://code.example:8443/t@2.git"),
        ("ssh://git@code.example/t.git", "ssh://git@code.example/t.git"),
        ("git@code.example:t.git", "git@code.example:t.git"),
        ("/srv/t@home/t.zip", "/srv/t@home/t.zip"),
    ],
)
def test_a_record_has_no_credentials(address: str, kept: str) -> None:
    assert hook("post_gen_project")["without_credentials"](address) == kept


@pytest.mark.parametrize("typed", ["https://code.example/t.git", "https://mario:secret@code.example/t.git"])
def test_no_token_of_a_person_gets_into_the_record(typed: str, growing_source: Path, tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text(
        f'[url "file://mario:secret@localhost{growing_source}"]\ninsteadOf = {typed}\n'
    )
    (tmp_path / "services").mkdir()

    say(tool("cookiecutter"), "--no-input", typed, cwd=tmp_path / "services")

    record = json.loads((tmp_path / "services/pizzeria/.cruft.json").read_text())
    assert record["template"] == "https://code.example/t.git"


def test_a_record_before_uncommitted_changes_says_so(growing_source: Path, tmp_path: Path) -> None:
    (growing_source / "LICENSE").write_text("changed")
    said = say(tool("cookiecutter"), "--no-input", "--output-dir", str(tmp_path), str(growing_source), cwd=tmp_path)
    assert "uncommitted changes" in said
