"""A service takes over later commits of its template, and keeps what its team has written."""

import json
from pathlib import Path

from tests.repositories import baked, commit, evolve, later, merged, say, state, write


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
    say("git", "reset", "--quiet", "--hard", cwd=service)
    assert state(service) == ""


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
    later(growing_source, {"docs/events.md": ("# ", "# The new ")})

    code, said = merged(growing_source, service)

    assert code == 0, said
    assert (service / "docs/events.md").read_text().startswith("# The new ")
    assert (whole / "docs/events.md").read_text() == "# Not the service's\n"
