"""The wheel of a service holds all that it needs: it runs from any folder, as a user who can write nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.demo import tell_story
from tests.deployed import NOBODY, Deployed, install, open_folder, postgres_database, readable_python, wheel_of
from tests.support import BakedProject

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="Only root may run it as another user."),
]


class Release(NamedTuple):
    """The default service, installed by root in a folder that all may read."""

    folder: Path
    app: Path
    variables: dict[str, str]

    def deployed(self, program: Path, folder: Path, database_url: str, **settings: str) -> Deployed:
        """It, run by nobody."""
        return Deployed(program, folder, database_url, NOBODY, **self.variables, **settings)


@pytest.fixture(scope="module")
def release(default: BakedProject) -> Iterator[Release]:
    with open_folder() as folder:
        python, variables = readable_python(folder)
        app = install(wheel_of(default, folder), default, folder / "venv", python)
        (folder / "work").mkdir(mode=0o555)
        yield Release(folder, app, variables)


@pytest.fixture
def database() -> Iterator[str]:
    with postgres_database() as url:
        yield url


def test_it_migrates_serves_and_ends_with_success(release: Release, database: str, tmp_path: Path) -> None:
    service = release.deployed(release.app, release.folder / "work", database)
    refused = service.app("run", "--port", "0")
    assert refused.returncode == 1
    assert "run `app db upgrade`" in refused.stdout + refused.stderr

    migrated = service.app("db", "upgrade")
    assert (migrated.returncode, migrated.stdout) == (0, "The database is up to date.\n"), migrated.stderr
    assert service.app("db", "check").returncode == 0

    with service.process(["run", "--port", "0"], tmp_path / "log") as process:
        tell_story(process.address())
        assert process.ended() == 0, process.log.read_text()


@pytest.mark.parametrize("words", [["tickets"], ["tickets", "--merge"]], ids=["new", "merge"])
def test_no_migration_is_written_into_it(release: Release, database: str, words: list[str]) -> None:
    refused = release.deployed(release.app, release.folder / "work", database).app("db", "revision", *words)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "is an installed copy of the code: run `app db revision` in a checkout" in refused.stderr


def test_nor_into_a_checkout_that_is_read_only(release: Release, database: str, default: BakedProject) -> None:
    checkout = Path(shutil.copytree(default.path, release.folder / "checkout", ignore=shutil.ignore_patterns(".git")))
    service = release.deployed(release.app.with_name("python"), checkout, database, SERVICE_NAME="pizzeria")
    refused = service.app("-m", "app", "db", "revision", "tickets")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert f"{checkout}/app/migrations/versions, which this user cannot write" in refused.stderr
