"""A service takes over later commits of its template, and keeps what its team has written."""

import json
import re
from pathlib import Path

import pytest

from scripts.bake import SERVICE
from scripts.service import UNDO as TOLD
from tests.repositories import baked, commit, evolve, later, merged, say, state, write

UNDO = TOLD.split("`")[1]
OLD_IMPORT = "from app.api.routes.users import PasswordChange\n\nOURS = PasswordChange\n"


def test_an_update_keeps_what_the_team_has_changed_moved_and_deleted(growing_source: Path, service: Path) -> None:
    write(service, {"docs/events.md": f"{(service / 'docs/events.md').read_text()}\nOurs.\n"})
    say("git", "mv", "docs/rules.md", "docs/our_rules.md", cwd=service)
    say("git", "rm", "--quiet", "docs/sockets.md", cwd=service)
    commit(service, "moved and deleted")
    later(growing_source, {f"docs/{name}.md": ("# ", "# The new ") for name in ("events", "rules", "sockets")})

    code, said = merged(growing_source, service)

    assert code == 0, said
    assert (service / "docs/events.md").read_text().startswith("# The new ")
    assert (service / "docs/events.md").read_text().endswith("Ours.\n")
    assert (service / "docs/our_rules.md").read_text().startswith("# The new ")
    assert not (service / "docs/rules.md").exists()
    assert "so they stay deleted:\n    docs/sockets.md\n" in said
    assert not (service / "docs/sockets.md").exists()


def test_a_conflict_is_left_to_a_person_with_all_else_done(growing_source: Path, service: Path) -> None:
    write(service, {"docs/rules.md": "# Our rules\n"})
    later(growing_source, {"docs/rules.md": ("# ", "# The new "), "docs/events.md": ("# ", "# The new ")})

    code, said = merged(growing_source, service)

    assert (code, "see the marks of git in them:\n    docs/rules.md\n" in said) == (1, True)
    assert "<<<<<<<" in (service / "docs/rules.md").read_text()
    assert (service / "docs/events.md").read_text().startswith("# The new ")
    assert (
        json.loads((service / ".cruft.json").read_text())["commit"]
        == say("git", "rev-parse", "HEAD", cwd=growing_source).strip()
    )
    say("sh", "-c", UNDO, cwd=service)
    assert state(service) == ""


def test_what_both_have_moved_is_taken_back_too(growing_source: Path, service: Path) -> None:
    say("git", "mv", "docs/rules.md", "docs/our_rules.md", cwd=service)
    commit(service, "moved")
    say("git", "mv", f"{SERVICE}/docs/rules.md", f"{SERVICE}/docs/their_rules.md", cwd=growing_source)
    commit(growing_source, "moved, too")

    code, said = merged(growing_source, service)

    assert (code, "docs/our_rules.md" in said) == (1, True), said
    say("sh", "-c", UNDO, cwd=service)
    assert state(service) == ""


NEW_STEP = {"../UPGRADES.md": ("By hand:\n\n", "By hand:\n\n- Something new.\n")}


def told_by_hand(said: str) -> list[str]:
    return re.findall("^By hand: (.+)$", said, re.MULTILINE)


def test_conflicts_in_code_stop_nothing_but_what_runs_it(growing_source: Path, service: Path) -> None:
    versions, text = "app/migrations/versions", 'revision = "{}"\ndown_revision = "0004"\n'
    own = {f"{versions}/20270101000000_ours.py": text.format("20270101000000"), "app/ours.py": OLD_IMPORT}
    write(service, {**own, "Makefile": "install:\n\t@touch installed\n"})
    (growing_source / SERVICE / versions / "0005_theirs.py").write_text(text.format("0005"))
    later(growing_source, {"Makefile": ("help", "aid"), **NEW_STEP})

    code, said = evolve(growing_source, service, "update")

    assert (code, (service / "installed").exists()) == (1, False), said
    assert (service / "app/ours.py").read_text() == OLD_IMPORT.replace("users", "_user_bodies")
    assert f"New migrations, for `app db upgrade`:\n    {versions}/0005_theirs.py\n" in said
    assert told_by_hand(said) == ["Something new."]
    assert said.partition("Solve the conflicts, then run in pizzeria:\n")[2].splitlines()[:-1] == [
        "    make --no-print-directory install",
        "    .venv/bin/ruff check --quiet --fix --select I app/ours.py",
        "    .venv/bin/ruff format --quiet app/ours.py",
        "    .venv/bin/app db revision --merge 'yours and the template'\"'\"'s'",
        "    make check",
    ]


def test_what_imports_a_module_that_is_gone_is_named(growing_source: Path, service: Path) -> None:
    write(service, {"app/ours.py": "import app.domain.menu as menu\nfrom app.domain import kitchen, menu\n"})
    say("git", "rm", "--quiet", f"{SERVICE}/app/domain/menu.py", cwd=growing_source)
    hook = growing_source / "hooks/post_gen_project.py"
    hook.write_text(hook.read_text().replace('        "app/domain/menu.py",\n', ""))
    commit(growing_source, "no menu")

    code, said = merged(growing_source, service)

    lines = "    app/ours.py:1 imports app.domain.menu\n    app/ours.py:2 imports app.domain.menu\n"
    assert (code, f"gone; change them by hand:\n{lines}" in said) == (0, True), said


def test_a_command_that_fails_is_told_with_those_that_are_left(growing_source: Path, service: Path) -> None:
    write(service, {"Makefile": "install:\n\t@echo No network. >&2; false\n", "app/ours.py": OLD_IMPORT})
    later(growing_source, {"docs/events.md": ("# ", "# The new "), **NEW_STEP})

    code, said = evolve(growing_source, service, "update")

    assert (code, told_by_hand(said)) == (1, ["Something new."])
    left = said.partition("See to that, then run in pizzeria:\n")[2]
    assert left.startswith("    make --no-print-directory install\n    .venv/bin/ruff check"), said


def test_pins_wait_for_a_pyproject_with_conflicts(growing_source: Path, service: Path) -> None:
    write(service, {"pyproject.toml": (service / "pyproject.toml").read_text().replace('"0.1.0"', '"1.0"', 1)})
    later(growing_source, {"pyproject.toml": ('"0.1.0"', '"0.2.0"')})

    code, said = merged(growing_source, service)

    assert (code, "then run in pizzeria:\n    make pins\n    make --no-print-directory install\n" in said) == (1, True)


def test_an_update_never_goes_back(growing_source: Path, service: Path) -> None:
    first = say("git", "rev-parse", "HEAD", cwd=growing_source).strip()
    later(growing_source, {"docs/events.md": ("# ", "# The new ")})
    assert merged(growing_source, service)[0] == 0
    commit(service, "updated")

    code, said = evolve(growing_source, service, "update", "--to", first)

    assert (code, state(service)) == (1, "")
    assert f"which {first} does not have: this would take it back. Say TO=" in said


@pytest.mark.parametrize(("words", "remote"), [((), "upstream"), (("--to", "next"), "origin")])
def test_an_update_goes_on_where_the_service_was_made_from(
    words: tuple[str, ...], remote: str, growing_source: Path, tmp_path: Path
) -> None:
    say("git", "checkout", "--quiet", "-b", "next", cwd=growing_source)
    later(growing_source, {"docs/events.md": ("# ", "# The new ")})
    service = baked(growing_source, tmp_path / "service", "--checkout", "next")
    say("git", "checkout", "--quiet", "main", cwd=growing_source)
    write(service, {"Makefile": "install check:\n\t@true\n"})
    clone = tmp_path / "clone"
    say("git", "clone", "--quiet", "--origin", remote, str(growing_source), str(clone), cwd=tmp_path)
    assert "pizzeria is up to date." in evolve(clone, service, "update")[1]
    assert "this would take it back" in evolve(clone, service, "update", "--to", "main")[1]

    say("git", "checkout", "--quiet", "next", cwd=growing_source)
    later(growing_source, {"docs/events.md": ("# The new ", "# The newest ")})
    say("git", "fetch", "--quiet", cwd=clone)

    code, said = evolve(clone, service, "update", *words)
    assert (code, (service / "docs/events.md").read_text()[:13]) == (0, "# The newest "), said


def test_a_new_question_is_asked_and_not_guessed(growing_source: Path, service: Path) -> None:
    asked = json.loads((growing_source / "cookiecutter.json").read_text())
    (growing_source / "cookiecutter.json").write_text(json.dumps({**asked, "colour": ["red", "blue"]}, indent=2))
    commit(growing_source, "one more question")

    code, said = merged(growing_source, service)
    assert code == 1
    assert "    COLOUR=red|blue\nsuch as: make update COLOUR=red" in said

    assert evolve(growing_source, service, "update", "COLOUR=blue")[0] == 0
    assert json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]["colour"] == "blue"


def test_a_service_inside_a_bigger_repository_is_updated_in_its_folder(growing_source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    say("git", "init", "--quiet", cwd=whole)
    (whole / "docs").mkdir()
    (whole / "docs/events.md").write_text("# Not the service's\n")
    service = baked(growing_source, whole / "services")
    write(service, {"Makefile": "install check:\n\t@true\n"})
    (whole / "docs/events.md").write_text("# A day's work\n")
    later(growing_source, {"docs/events.md": ("# ", "# The new ")})

    code, said = evolve(growing_source, service, "update")

    assert code == 0, said
    assert (service / "docs/events.md").read_text().startswith("# The new ")
    say("sh", "-c", UNDO, cwd=service)
    assert state(service) == " M docs/events.md\n"
    assert (whole / "docs/events.md").read_text() == "# A day's work\n"
