"""`app projections`: what it prints, and what it refuses."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from app.cli import projections as commands
from app.composition import container
from app.core.config import Settings
from app.persistence.engine.database import Database
from tests.cli.support import Run, objects
from tests.events import store
from tests.persistence import votes


@pytest.fixture
def database(settings: Settings) -> Callable[[Callable[[Database], Awaitable[Any]]], Any]:
    """Does something with the test's database."""

    async def opened(use: Callable[[Database], Awaitable[Any]]) -> Any:
        database = Database(settings)
        try:
            return await use(database)
        finally:
            await database.close()

    return lambda use: asyncio.run(opened(use))


@pytest.fixture
def election(database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The only read model is that of the votes, and its events are in the log."""

    async def change(database: Database, ddl: Callable[..., None]) -> None:
        async with database.writing_engine.begin() as connection:
            await connection.run_sync(ddl)

    monkeypatch.setattr(commands, "READ_MODELS", votes.__name__)
    monkeypatch.setattr(container, "DOMAIN", votes.__name__)
    database(lambda opened: change(opened, votes.metadata.create_all))
    database(lambda opened: store(opened, votes.stood("ada"), votes.voted("ada", 2, 7)))
    yield
    database(lambda opened: change(opened, votes.metadata.drop_all))


@pytest.mark.usefixtures("election")
def test_a_read_model_is_listed_and_made_anew(run: Run, database: Any) -> None:
    listed = run("projections", "list").stdout.splitlines()
    assert [line.split() for line in listed] == [
        ["projection", "of", "tables"],
        ["votes", "Thing", "candidates,", "parties"],
    ]
    assert objects(run("projections", "status", "--json")) == [{"projection": "votes", "rows": 0, "behind": 2}]

    made = run("projections", "rebuild", "votes")

    assert made.exit_code == 0, made.output
    rebuilt, written = made.stdout.splitlines()
    assert re.fullmatch(r"votes was rebuilt from 2 events in \d+\.\d s\.", rebuilt)
    waited = r"0 rows were deleted and 2 inserted; meanwhile, its writers had to wait for \d+\.\d s at most\."
    assert re.fullmatch(waited, written)
    assert made.stderr == "", "A bar is for terminals."
    assert run("projections", "status").stdout.splitlines()[1].split() == ["votes", "1", "0"]
    assert database(votes.counted) == ([("ada", 2, "Left", 7)], [("Left", 7)])


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("file", "shown"), [(Terminal(), True), (StringIO(), False)])
def test_there_is_a_bar_on_a_terminal(file: StringIO, shown: bool) -> None:
    with commands.progress_bar("votes", 2, file) as bar:
        bar.update(2)
    assert ("votes  [####################################]  100%" in file.getvalue()) is shown
    assert shown or file.getvalue() == ""


def test_a_read_model_that_is_not_there_is_refused(run: Run) -> None:
    refused = run("projections", "rebuild", "calories")
    assert refused.exit_code == 1
    assert refused.stderr == "There is no projection calories: see `app projections list`.\n"


@pytest.mark.parametrize("command", [["list"], ["status"], ["rebuild", "votes"]], ids=str)
def test_events_of_an_unknown_aggregate_are_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr(commands, "READ_MODELS", votes.__name__)
    refused = run("projections", *command)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("The projection votes folds the events of Thing, but no aggregate of this service")


def test_two_of_one_name_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "READ_MODELS", votes.__name__)
    again = replace(votes.VOTES, table=votes.parties)
    monkeypatch.setattr(votes, "AGAIN", again, raising=False)
    for command in (["list"], ["rebuild", "votes"]):
        refused = run("projections", *command)
        assert refused.exit_code == 1
        assert refused.stderr == "Two projections are called votes, of candidates and parties: rename one of them.\n"
    monkeypatch.setattr(votes, "AGAIN", votes.VOTES)
    monkeypatch.setattr(container, "DOMAIN", votes.__name__)
    assert run("projections", "list").exit_code == 0, "It is the same one, imported twice."


def test_without_projections_there_is_nothing_to_list(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "READ_MODELS", "app.read_models.pages")
    assert run("projections", "list").stdout.splitlines() == ["projection  of  tables"]
