"""What a person has set in git for themselves changes nothing in what the template reads and does."""

import json
from pathlib import Path

import pytest

from scripts.bake import SERVICE
from tests.repositories import commit, evolve, later, merged, say, state, tool, write

SETTINGS = """
[user]
name = a
email = a@example.com
[status]
showUntrackedFiles = no
[rerere]
enabled = true
autoupdate = true
[core]
autocrlf = true
safecrlf = true
[color]
ui = always
[diff]
renames = false
renameLimit = 1
noprefix = true
[merge]
renames = false
renameLimit = 1
directoryRenames = false
[submodule]
recurse = true
"""


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that change what git prints and does."""
    (tmp_path / "settings").write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))


@pytest.mark.usefixtures("person")
def test_new_files_that_git_status_does_not_show_are_not_mixed_with_an_update(source: Path, service: Path) -> None:
    (service / "app/invoice.py").write_text("")
    assert "has changes that are not committed" in evolve(source, service, "choose", "BROKER=nats")[1]


@pytest.mark.usefixtures("person")
def test_new_files_of_the_template_that_git_status_does_not_show_are_told(growing_source: Path, tmp_path: Path) -> None:
    (growing_source / SERVICE / "app/invoice.py").write_text("")
    said = say(tool("cookiecutter"), "--no-input", "--output-dir", str(tmp_path), str(growing_source), cwd=tmp_path)
    assert "uncommitted changes" in said


def test_a_hook_of_git_leads_no_bake_astray(source: Path, tmp_path: Path) -> None:
    say("git", "init", "--quiet", str(tmp_path / "other"), cwd=tmp_path)
    words = ("--no-input", "--output-dir", str(tmp_path), str(source))

    say(tool("cookiecutter"), *words, cwd=tmp_path, GIT_DIR=str(tmp_path / "other/.git"))

    record = json.loads((tmp_path / "pizzeria/.cruft.json").read_text())
    assert record["commit"] == say("git", "rev-parse", "HEAD", cwd=source).strip()
    assert (tmp_path / "pizzeria/.git").is_dir()


@pytest.mark.usefixtures("person")
def test_an_update_follows_what_the_template_has_renamed(growing_source: Path, service: Path) -> None:
    write(service, {"docs/rules.md": f"{(service / 'docs/rules.md').read_text()}\nOurs.\n"})
    for name in ("rules", "sockets"):
        say("git", "mv", f"{SERVICE}/docs/{name}.md", f"{SERVICE}/docs/their_{name}.md", cwd=growing_source)
    later(growing_source, {f"docs/their_{name}.md": ("# ", "# The new ") for name in ("rules", "sockets")})

    code, said = merged(growing_source, service)

    assert code == 0, said
    assert (service / "docs/their_rules.md").read_text().startswith("# The new ")
    assert (service / "docs/their_rules.md").read_text().endswith("Ours.\n")
    assert not (service / "docs/rules.md").exists()


@pytest.mark.usefixtures("person")
def test_conflicts_that_were_solved_before_are_told_again(growing_source: Path, service: Path) -> None:
    write(service, {"docs/rules.md": "# Our rules\n"})
    later(growing_source, {"docs/rules.md": ("# ", "# The new ")})
    first = merged(growing_source, service)
    write(service, {"docs/rules.md": "# Our new rules\n"})
    say("git", "reset", "--quiet", "--hard", "HEAD~1", cwd=service)

    assert evolve(growing_source, service, "update") == first
    assert "see the marks of git in them:\n    docs/rules.md\n" in first[1]
    assert state(service) != ""


def with_crlf(service: Path, name: str) -> None:
    """Let the lines of a file end as on Windows."""
    (service / name).write_bytes((service / name).read_bytes().replace(b"\n", b"\r\n"))


def test_the_ends_of_lines_make_no_file_one_of_the_team(source: Path, service: Path) -> None:
    with_crlf(service, "app/api/routes/menu.py")
    say("git", "add", "--all", cwd=service)
    assert state(service) == ""

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "keep")

    assert (code, (service / "app/api/routes/menu.py").exists()) == (0, False), said


def test_the_ends_of_lines_that_were_committed_are_no_conflict(growing_source: Path, service: Path) -> None:
    (service / ".gitattributes").unlink()  # services of 1.1.0 had none
    write(service, {"docs/rules.md": f"{(service / 'docs/rules.md').read_text()}\nOurs.\n"})
    with_crlf(service, "docs/rules.md")
    with_crlf(service, "docs/sockets.md")
    commit(service, "with CRLF")
    later(growing_source, {"docs/rules.md": ("# ", "# The new ")})

    code, said = merged(growing_source, service)

    rules = (service / "docs/rules.md").read_bytes()
    assert (code, rules[:10], rules[-7:], b"\r" in rules) == (0, b"# The new ", b"\nOurs.\n", False), said
    assert b"\r\n" in (service / "docs/sockets.md").read_bytes(), "the template has not changed it"
