"""The update drill: services of each release, edited and full of rows, take over the template of now.

`make drill` runs the whole `make check` of each. In CI a service of the newest release runs a part of it.
"""

import json
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE, bake_from
from scripts.rendering import questions_of
from scripts.upgrades import releases
from tests import drill_edits
from tests.deployed import postgres_database
from tests.repositories import IDENTITY, commit, say, tool
from tests.support import run
from tests.test_upgrades import needs_history

ROWS = Path(__file__).with_name("drill_rows.py")
RELEASES = releases()
NEWEST = list(RELEASES)[-1]
PART = "lint imports"


def service_of(release: str, folder: Path) -> Path:
    """A service of a release with the default answers, committed."""
    archive = subprocess.run(["git", "archive", RELEASES[release]], cwd=ROOT, check=True, capture_output=True).stdout
    (folder / "template").mkdir(parents=True)
    subprocess.run(["tar", "x"], cwd=folder / "template", input=archive, check=True)
    service = bake_from(folder / "template", folder)
    commit(service, "baked")
    return service


def linked(release: str, folder: Path) -> Path:
    """The same with a record of its template, as the README says for services that have none."""
    service = service_of(release, folder)
    words = "cruft link <this repository> --checkout <the commit of the release>"
    filled = words.replace("<this repository>", str(ROOT)).replace("<the commit of the release>", RELEASES[release])
    say(tool("cruft"), *filled.split()[1:], "--no-input", cwd=service)
    commit(service, "linked")
    return service


@contextmanager
def databases(folder: Path) -> Iterator[list[str]]:
    """The URLs of empty databases: SQLite, and PostgreSQL if it answers."""
    with ExitStack() as stack:
        urls = [f"sqlite:///{folder}/drill.db"]
        try:
            urls.append(stack.enter_context(postgres_database()))
        except pytest.skip.Exception as missing:
            warnings.warn(f"The update was not tried on PostgreSQL. {missing.msg}", stacklevel=2)
        yield urls


def rows(service: Path, word: str, url: str) -> dict[str, int]:
    """Fill or count the tables of a database, by the service's own Python."""
    counted: dict[str, int] = json.loads(say(".venv/bin/python", str(ROWS), word, url, cwd=service))
    return counted


def update(service: Path, goals: str, release: str) -> subprocess.CompletedProcess[str]:
    """Update from this clone of the template, answering what the release did not ask."""
    asked = {one: answers for one, answers in questions_of("HEAD").items() if isinstance(answers, list)}
    new = [
        f"{one.upper()}={answers[0]}" for one, answers in asked.items() if one not in questions_of(RELEASES[release])
    ]
    words = "make update IN=<the service>".replace("<the service>", str(service)).split()
    return run(*words, f"GOALS={goals}", *new, cwd=ROOT, **IDENTITY)


def drill(release: str, goals: str, folder: Path) -> None:
    """Edit a service of a release, fill its databases, and update it: nothing is lost, and its own check is green."""
    service = linked(release, folder)
    drill_edits.edit(service)
    commit(service, "ours")
    say("make", "install", cwd=service)
    with databases(folder) as urls:
        for url in urls:
            say(".venv/bin/python", "-m", "app", "db", "upgrade", cwd=service, DATABASE_URL=url)
        before = [rows(service, "fill", url) for url in urls]
        assert all(number > 0 for counts in before for number in counts.values())

        done = update(service, goals, release)

        assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
        assert drill_edits.lost(service) == []
        assert [*service.glob("**/*.rej")] == []
        say(".venv/bin/app", "openapi", cwd=service)  # imports all of it
        for url, counts in zip(urls, before, strict=True):
            for words in ("upgrade", "check"):
                say(".venv/bin/app", "db", words, cwd=service, DATABASE_URL=url)
            assert counts.items() <= rows(service, "count", url).items()


@needs_history
@pytest.mark.slow
def test_a_service_of_the_newest_release_takes_over_what_came_since(tmp_path: Path) -> None:
    drill(NEWEST, PART, tmp_path)


@needs_history
@pytest.mark.weekly
@pytest.mark.parametrize("release", RELEASES)
def test_a_service_of_a_release_takes_over_what_came_since(release: str, tmp_path: Path) -> None:
    drill(release, "check", tmp_path)


@pytest.mark.slow
def test_a_service_updates_itself_and_drops_what_it_gives_up(tmp_path: Path) -> None:
    source = tmp_path / "template"
    say("git", "clone", "--quiet", str(ROOT), str(source), cwd=tmp_path)
    say("git", "remote", "remove", "origin", cwd=source)
    say(tool("cookiecutter"), "--no-input", str(source), cwd=tmp_path)
    service = tmp_path / "pizzeria"
    commit(service, "baked")
    say("make", "install", cwd=service)
    say(".venv/bin/app", "db", "upgrade", cwd=service)

    say("make", "choose", "BROKER=nats", "SAMPLE=none", "DATA=drop", cwd=service)
    commit(service, "with a broker, without the sample")

    assert (service / "app/adapters/broker_nats.py").exists()
    assert "orders" not in rows(service, "count", f"sqlite:///{service}/app.db")
    say(".venv/bin/app", "db", "check", cwd=service)

    (source / SERVICE / "docs/later.md").write_text("# Later\n")
    commit(source, "later")
    done = run("make", "update", "GOALS=help", cwd=service, **IDENTITY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (service / "docs/later.md").exists()
