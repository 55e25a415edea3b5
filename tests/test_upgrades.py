"""UPGRADES.md tells what each release has moved or removed, and `releases.json` where the releases are."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from scripts import upgrades
from scripts.bake import ROOT
from scripts.migrations import migrations_in, redirect
from scripts.own_code import follow

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES = upgrades.releases()


def has_history() -> bool:
    """Whether this clone has the commits of all releases."""
    return all(
        subprocess.run(["git", "cat-file", "-e", one], cwd=ROOT, check=False).returncode == 0
        for one in RELEASES.values()
    )


needs_history = pytest.mark.skipif(
    not has_history(), reason="a shallow clone: what releases have moved was not compared"
)


@needs_history
@pytest.mark.parametrize("release", RELEASES)
def test_what_is_gone_since_a_release_is_declared(release: str) -> None:
    declared = [place for one in upgrades.since(RELEASES[release]) for place in upgrades.moved_in(one)]
    assert upgrades.undeclared(release, declared) == [], f"`python -m scripts.upgrades {release}` prints the rows"


@needs_history
def test_what_is_declared_as_moved_is_where_it_is_said_to_be() -> None:
    now = upgrades.names_at(None)
    moved = {
        place: there for one in [*RELEASES, "Unreleased"] for place, there in upgrades.moved_in(one).items() if there
    }
    assert moved
    assert [f"{place} -> {there}" for place, there in moved.items() if (there, place[1]) not in now] == []


@needs_history
def test_releases_follow_each_other_and_have_a_page_of_changes() -> None:
    commits = [*RELEASES.values(), "HEAD"]
    for earlier, later in pairwise(commits):
        words = ["git", "merge-base", "--is-ancestor", earlier, later]
        assert subprocess.run(words, cwd=ROOT, check=False).returncode == 0
    assert re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE) == ["Unreleased", *reversed(RELEASES)]


def test_a_service_hears_of_what_came_after_its_own_commit_only() -> None:
    first, *later = RELEASES
    assert upgrades.since(RELEASES[first]) == [*later, "Unreleased"]


@needs_history
def test_what_was_to_be_done_by_hand_already_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told = subprocess.run(
        ["git", "show", "HEAD:UPGRADES.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    step = " ".join(upgrades.STEP.findall(told)[0].split())
    monkeypatch.setattr(upgrades, "steps_of", lambda section: [step, "Something new."])
    assert upgrades.steps_between("HEAD", "HEAD") == ["Something new."]


@needs_history
def test_a_service_that_stops_at_a_release_hears_of_that_and_not_of_what_came_later() -> None:
    first, then, *_ = RELEASES.values()
    assert upgrades.since(first, then) == [list(RELEASES)[1]]
    there = upgrades.names_at(then)
    moved = upgrades.moved_between(first, then)
    assert moved
    assert [place for place, now in moved.items() if (now, place[1]) not in there] == []
    assert moved.keys() < {place for place, now in upgrades.moved_in(list(RELEASES)[1]).items() if now}
    assert upgrades.steps_between(then, "HEAD") == upgrades.steps_of("Unreleased")


MOVED = {("app.old", "A"): "app.new", ("app.old", "B"): "app.new"}


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("from app.old import A  # noqa: F401\n", "from app.new import A  # noqa: F401\n"),
        (
            "    from app.old import A, C  # noqa: F401\n",
            "    from app.new import A  # noqa: F401\n    from app.old import C  # noqa: F401\n",
        ),
        (
            "from app.old import (  # all\n    A,  # a\n    # b is next\n    B,\n    C,  # c\n)  # end\n",
            (
                "from app.new import A, B  # all  # a  # b is next  # end\n"
                "from app.old import C  # all  # b is next  # c  # end\n"
            ),
        ),
        (
            "x = 'é'; from app.old import A, C; y = 1  # why\n",
            "x = 'é'; from app.new import A; from app.old import C; y = 1  # why\n",
        ),
        ("from app.old import A; from app.old import B\n", "from app.new import A; from app.new import B\n"),
        ("from app.old import A as B", "from app.new import A as B"),
        ("from app.old import A, C\r\nx = 1\r\n", "from app.new import A\r\nfrom app.old import C\r\nx = 1\r\n"),
    ],
)
@pytest.mark.parametrize("above", ["", "x = '\u2028\x85'\n", "\f\n"], ids=ascii)
def test_an_import_that_follows_leaves_all_else_as_it_is(text: str, then: str, above: str, tmp_path: Path) -> None:
    head = f"{above}if True:\n" if text.startswith(" ") else above
    (tmp_path / "a.py").write_bytes(f"{head}{text}".encode())
    assert follow(tmp_path, ["a.py"], MOVED) == ["a.py"]
    assert (tmp_path / "a.py").read_bytes().decode() == f"{head}{then}"


def test_a_migration_that_follows_another_keeps_what_was_written_around(tmp_path: Path) -> None:
    (tmp_path / "app/migrations/versions").mkdir(parents=True)
    text = "x = '\u2028'\nrevision: str = 'c'\ndown_revision: str | None = {}  # after ours\n"
    (tmp_path / "app/migrations/versions/c.py").write_bytes(text.format("('a', 'b')").encode())
    (ours,) = migrations_in(tmp_path)
    redirect(tmp_path, ours, {"b": "a"})
    assert (tmp_path / ours.file).read_bytes().decode() == text.format('"a"')


def test_imports_follow_what_has_moved(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f() -> None:\n    from app.old import (\n        A as B,\n        C,\n    )\n")
    (tmp_path / "b.py").write_text("from app.other import A\n")
    (tmp_path / "c.py").write_text("from app.old import <<<\n")

    changed = follow(tmp_path, ["a.py", "b.py", "c.py", "gone.py"], MOVED)

    assert changed == ["a.py"]
    moved = "def f() -> None:\n    from app.new import A as B\n    from app.old import C\n"
    assert (tmp_path / "a.py").read_text() == moved
