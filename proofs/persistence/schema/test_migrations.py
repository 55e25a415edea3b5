"""Every migration is applied once, in whatever order the code came to have it, or is refused by its name."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from app.cli import app as commands
from app.core.config import UNNAMED, Settings
from app.core.cqrs import ConfigurationError
from app.persistence.engine.database import Database
from app.persistence.schema import migrate, revisions, steps
from support.lines import Line, Scripts, ask, ran, refused, start
from tests.databases import settings_for
from tests.server import environment_for

SHOP: Line = {"0001": None, "0002": "0001", "0003": "0002", "0004": "0003"}
UPDATED: Line = {"0001": None, "0002": "0001", "0002_1": "0002", "0003": "0002_1", "0004": "0003"}


@pytest.fixture
def settings(empty_database_url: str) -> Settings:
    return settings_for(empty_database_url)


@pytest.fixture
def scripts(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    return Scripts(tmp_path / "scripts", monkeypatch)


def upgraded(settings: Settings, scripts: Scripts, line: Line, **bodies: str) -> None:
    scripts.are(line, **bodies)
    migrate.upgrade(settings)
    assert ran(settings) == sorted(line)
    start(settings)


INSERTED: dict[str, tuple[Line, Line]] = {
    "by the template": (SHOP, UPDATED),
    "by the template, twice at once": (
        SHOP,
        {"0001": None, "0002": "0001", "0002_1": "0002", "0002_2": "0002_1", "0003": "0002_2", "0004": "0003"},
    ),
    "by the template, before an own one": (
        {"0001": None, "0002": "0001", "2026": "0002"},
        {"0001": None, "0002": "0001", "0002_1": "0002", "2026": "0002_1"},
    ),
    "by the other developer, whose own now comes first": (
        {"0001": None, "a": "0001"},
        {"0001": None, "b": "0001", "a": "b"},
    ),
    "as the first of all": ({"0001": None, "0002": "0001"}, {"0001": None, "0000": "0001", "0002": "0000"}),
    "on another branch, with a merge": (
        {"0001": None, "a": "0001"},
        {"0001": None, "a": "0001", "b": "0001", "ab": ("a", "b")},
    ),
}


@pytest.mark.parametrize("case", INSERTED)
def test_what_was_put_in_before_applied_ones_is_applied(settings: Settings, scripts: Scripts, case: str) -> None:
    before, after = INSERTED[case]
    upgraded(settings, scripts, before)
    scripts.are(after)
    added = next(one for one in after if one not in before)
    for look in (start, migrate.check):
        with refused(added, "run `app db upgrade`"):
            look(settings)
    upgraded(settings, scripts, after)
    upgraded(settings, scripts, after)
    assert ask(settings, "SELECT version_num FROM alembic_version") == [list(after)[-1]]


def before_the_record(settings: Settings, version: str) -> None:
    """Make the database one of an older release: it has what Alembic keeps."""
    ask(settings, "DROP TABLE applied_revisions")
    assert ask(settings, "SELECT version_num FROM alembic_version") == [version]


@pytest.mark.parametrize("own", [(), ("2026",), ("2026", "2027")], ids=["as it came", "one own", "two own"])
def test_a_database_from_before_the_record_gets_what_the_template_put_in(
    settings: Settings, scripts: Scripts, own: tuple[str, ...]
) -> None:
    own_line = dict(zip(own, ("0004", *own), strict=False))
    upgraded(settings, scripts, {**SHOP, **own_line})
    before_the_record(settings, (*SHOP, *own)[-1])
    with refused("no record of its migrations yet", "run `app db upgrade`"):
        start(settings)
    scripts.are({**UPDATED, **own_line})
    with refused("assumed to have 0001, 0002, 0003, 0004", "app db mark"):
        migrate.upgrade(settings)  # none of the service's tables is there, so the database is not what it was taken for
    assert ran(settings) == sorted({**UPDATED, **own_line})
    migrate.upgrade(settings)
    start(settings)


def test_a_database_at_what_the_code_does_not_have_is_not_guessed_at(settings: Settings, scripts: Scripts) -> None:
    upgraded(settings, scripts, {**SHOP, "2026": "0004"})
    before_the_record(settings, "2026")
    scripts.are(SHOP)
    with refused("at migration 2026", "no record"):
        migrate.upgrade(settings)


def test_a_release_that_is_older_than_the_database_starts(settings: Settings, scripts: Scripts) -> None:
    upgraded(settings, scripts, {**SHOP, "2026": "0004"})
    scripts.are(SHOP)
    start(settings)
    migrate.upgrade(settings)
    scripts.are(UPDATED)
    with refused("0002_1"):
        start(settings)
    with refused("0002_1 is missing", "the database has 2026"):
        migrate.upgrade(settings)
    with refused("2026"):
        migrate.downgrade(settings, "base")
    migrate.mark(settings, "2026", "missing")
    migrate.upgrade(settings)
    start(settings)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"0001": None, "a": "0001", "b": "0001"}, r"one last migration in .*, but there is: a, b\. Let one .*--merge"),
        ({}, "one last migration in .*, but there is: none"),
        ({"0001": "nowhere"}, "no order.*nowhere"),
        ({"0001": None, "a": "b", "b": "a"}, "no order. Cycle"),
        ({"0001": "0001"}, "no order. Self-loop"),
    ],
    ids=["two last ones", "none", "what follows nothing", "a circle", "what follows itself"],
)
def test_migrations_in_no_order_are_refused(settings: Settings, scripts: Scripts, line: Line, complaint: str) -> None:
    scripts.are(line)
    for look in (start, migrate.upgrade):
        with pytest.raises(ConfigurationError, match=complaint):
            look(settings)


@pytest.mark.filterwarnings("default:Revision")  # as outside of tests, where a warning is no error
def test_two_of_one_name_are_refused(settings: Settings, scripts: Scripts) -> None:
    scripts.are({"0001": None})
    scripts.add("again", "0001", None)
    with refused("no order", "0001 is present more than once"):
        migrate.upgrade(settings)


def test_alembic_reads_the_scripts(settings: Settings, scripts: Scripts) -> None:
    scripts.are({"0001": None})
    scripts.add("named", "n", "0001")
    named = scripts.versions / "named.py"
    named.write_text(named.read_text().replace('revision = "n"', 'NAME = "n"\nrevision: str = NAME + "ew"'))
    scripts.add("dependent", "d", "new", depends="0001")
    migrate.upgrade(settings)
    assert ask(settings, "SELECT revision FROM applied_revisions ORDER BY revision") == ["0001", "d", "new"]


def test_two_last_ones_are_joined_by_a_command(settings: Settings, scripts: Scripts) -> None:
    scripts.are({"0001": None, "a": "0001"})
    with refused("nothing to merge", "a is the last"):
        migrate.merge_revisions("both")
    scripts.are({"0001": None, "a": "0001", "b": "0001"})
    answer = CliRunner().invoke(commands, ["db", "revision", "--merge", "both"])
    assert answer.exit_code == 0 and answer.stdout.strip().endswith("_both.py")
    migrate.upgrade(settings)
    start(settings)
    migrate.downgrade(settings, "-1")
    assert set(ask(settings, "SELECT version_num FROM alembic_version")) == {"a", "b"}
    migrate.downgrade(settings, "a")
    assert ran(settings) == ["0001", "a", "b"]
    migrate.downgrade(settings, "0001")
    assert ran(settings) == ["0001"]
    migrate.upgrade(settings)
    migrate.downgrade(settings, "base")
    assert ask(settings, "SELECT revision FROM applied_revisions") == []


@pytest.mark.parametrize("target", ["nonsense", "-x", "b"])
def test_what_a_database_never_had_is_no_place_to_go_back_to(settings: Settings, scripts: Scripts, target: str) -> None:
    upgraded(settings, scripts, {"0001": None, "a": "0001"})
    scripts.are({"0001": None, "b": "0001", "a": "b"})
    with refused(f"does not have migration {target}", "0001, a"):
        migrate.downgrade(settings, target)


BROKEN = 'op.execute("INSERT INTO nowhere VALUES (1)")'


def test_one_that_fails_is_named_and_leaves_nothing(settings: Settings, scripts: Scripts) -> None:
    scripts.are({"0001": None, "a": "0001", "b": "a", "c": "b"}, b=BROKEN)
    with refused("Migration b failed", "nowhere", "before it are applied"):
        migrate.upgrade(settings)
    assert ran(settings) == ["0001", "a"]
    with refused("b, c"):
        start(settings)
    upgraded(settings, scripts, {"0001": None, "a": "0001", "b": "a", "c": "b"})


def test_one_that_cannot_come_late_is_named_with_what_it_should_precede(settings: Settings, scripts: Scripts) -> None:
    upgraded(settings, scripts, SHOP)
    scripts.are(UPDATED, **{"0002_1": BROKEN})
    with refused("Migration 0002_1 failed", "It comes before 0003, which is already applied"):
        migrate.upgrade(settings)
    with refused("lacks the migrations 0002_1"):
        start(settings)
    migrate.mark(settings, "0002_1", "applied")
    start(settings)


APART = "with op.get_context().autocommit_block():\n        "


def test_an_index_is_made_outside_of_a_transaction(settings: Settings, scripts: Scripts) -> None:
    make = (
        APART
        + 'op.create_index("ix_ran_name", "ran", ["name"], if_not_exists=True, postgresql_concurrently=True)\n    '
        "op.execute(\"INSERT INTO ran VALUES ('and then')\")"
    )
    scripts.are({"0001": None, "a": "0001", "b": "a"}, a=make)
    migrate.upgrade(settings)
    assert ran(settings) == ["0001", "a", "and then", "b"]


def test_rows_are_changed_in_batches(settings: Settings, scripts: Scripts) -> None:
    one = "op.execute(f\"INSERT INTO ran VALUES ('batch {number}')\")"
    body = f"for number in range(3):\n        {APART.replace(chr(10), chr(10) + '    ')}{one}"
    scripts.are({"0001": None, "a": "0001"}, a=body)
    migrate.upgrade(settings)
    assert ran(settings) == ["0001", "a", "batch 0", "batch 1", "batch 2"]


def test_a_table_is_changed_with_rows_in_it(settings: Settings, scripts: Scripts) -> None:
    column = 'sa.Column("more", sa.Integer(), server_default="7", nullable=False)'
    body = f'with op.batch_alter_table("ran") as ran:\n        ran.add_column({column})'
    upgraded(settings, scripts, {"0001": None})
    upgraded(settings, scripts, {"0001": None, "a": "0001"}, a=body)
    assert ask(settings, "SELECT more FROM ran") == [7, 7]


@pytest.mark.parametrize(
    ("state", "left"), [("applied", ["0001", "a", "b"]), ("missing", ["0001", "a", "a", "b"])], ids=["done", "undone"]
)
def test_what_was_committed_by_half_is_not_run_again_by_itself(
    settings: Settings, scripts: Scripts, state: str, left: list[str]
) -> None:
    line: Line = {"0001": None, "a": "0001", "b": "a"}
    scripts.are(line, a=APART + BROKEN)
    with refused("Migration a failed"):
        migrate.upgrade(settings)
    scripts.are(line)
    for look in (migrate.upgrade, start, migrate.check):
        with refused("Migration a was begun and did not end", "app db mark a applied"):
            look(settings)
    with refused("was begun"):
        migrate.downgrade(settings, "base")
    migrate.mark(settings, "a", state)
    migrate.upgrade(settings)
    assert ran(settings) == left
    start(settings)


def test_what_something_else_did_is_noticed(settings: Settings, scripts: Scripts) -> None:
    upgraded(settings, scripts, SHOP)
    ask(settings, "UPDATE alembic_version SET version_num = '0003'")  # as an old release's `app db downgrade` would
    ask(settings, "DELETE FROM ran WHERE name = '0004'")
    for look in (migrate.upgrade, start, migrate.check):
        with refused("it was at 0004, and alembic_version says 0003", "app db mark"):
            look(settings)
    migrate.mark(settings, "0004", "missing")
    upgraded(settings, scripts, SHOP)


def test_only_a_person_may_say_it_and_only_of_what_there_is(settings: Settings, scripts: Scripts) -> None:
    upgraded(settings, scripts, SHOP)
    with refused("Neither the code nor the database has a migration 0005"):
        migrate.mark(settings, "0005", "applied")
    with refused("applied or missing, but not done"):
        migrate.mark(settings, "0004", "done")


@pytest.mark.integration
@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
async def test_a_migration_lets_others_pass_while_it_waits_for_a_table(
    settings: Settings, scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCK_SECONDS", "PAUSE_SECONDS"):
        monkeypatch.setattr(steps, name, 0.05)
    await asyncio.to_thread(upgraded, settings, scripts, {"0001": None})
    column = 'op.add_column("ran", sa.Column("more", sa.Integer()))'
    scripts.are({"0001": None, "a": "0001"}, a=column)
    database = Database(settings)
    async with database.writing_engine.connect() as report:
        await report.execute(text("SELECT * FROM ran"))
        with pytest.MonkeyPatch.context() as patch, refused("Migration a got no lock"):
            patch.setattr(steps, "PATIENCE_SECONDS", 0)
            await asyncio.to_thread(migrate.upgrade, settings)
        upgrade = asyncio.create_task(asyncio.to_thread(migrate.upgrade, settings))
        with capture_logs() as logs:
            async with asyncio.timeout(20):
                while not (waits := [log for log in logs if log["event"] == "migration_delayed"]):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(20), database.writing_engine.connect() as another:
            await another.execute(text("SELECT * FROM ran"))
        assert waits[0]["revision"] == "a"
        assert not upgrade.done()
    await upgrade
    await database.close()
    assert await asyncio.to_thread(ask, settings, "SELECT count(*) FROM ran WHERE more IS NULL") == [2]


async def test_several_processes_upgrade_at_once(settings: Settings, scripts: Scripts) -> None:
    scripts.are(UPDATED, **{"0002": APART + 'op.execute("SELECT 1")'})
    await asyncio.gather(*(asyncio.to_thread(migrate.upgrade, settings) for _ in range(3)))
    assert await asyncio.to_thread(ran, settings) == sorted(UPDATED)


def test_the_templates_own_can_be_told_from_those_of_before_the_record() -> None:
    known = revisions.read_revisions().known
    assert [one for one in known if revisions.BEFORE_THE_RECORD.match(one) and len(one) == 4] == [
        one for one in ("0001", "0002", "0003", "0004") if one in known
    ]


@pytest.mark.parametrize(("first", "second"), [("north", "south"), ("app", "north"), ("north", "app")])
def test_a_database_of_another_service_is_refused(
    empty_database_url: str, scripts: Scripts, first: str, second: str
) -> None:
    north, south = (settings_for(empty_database_url, service_name=name) for name in (first, second))
    upgraded(north, scripts, SHOP)
    for look in (start, migrate.upgrade, lambda settings: migrate.downgrade(settings, "base")):
        with refused(f"to {first}, and this is {second}", "DATABASE_URL", "app db mark 0004 applied"):
            look(south)
    scripts.are(UPDATED)
    with refused(f"to {first}, and this is {second}"):
        migrate.upgrade(south)
    assert ran(north) == sorted(SHOP)


def test_a_database_that_was_never_migrated_has_no_migration_to_go_back_to(empty_database_url: str) -> None:
    with refused("does not have migration 0002: it has none"):
        migrate.downgrade(settings_for(empty_database_url), "0002")


def test_an_operator_is_not_shown_the_events_of_another_service(empty_database_url: str) -> None:
    migrate.upgrade(settings_for(empty_database_url, service_name="north"))
    north, south = (environment_for(empty_database_url, SERVICE_NAME=name) for name in ("north", "south"))
    assert CliRunner().invoke(commands, ["outbox", "status"], env=north).exit_code == 0
    refusal = CliRunner().invoke(commands, ["outbox", "status"], env=south)
    assert refusal.exit_code == 1
    assert "The database belongs to north, and this is south" in refusal.stderr


def test_a_service_that_was_renamed_takes_its_database_along(empty_database_url: str, scripts: Scripts) -> None:
    north, south = (settings_for(empty_database_url, service_name=name) for name in ("north", "south"))
    upgraded(north, scripts, SHOP)
    migrate.mark(south, "0004", "applied")
    upgraded(south, scripts, UPDATED)
    with refused("to south, and this is north"):
        start(north)


def test_a_database_from_before_the_record_is_its_who_begins_it(empty_database_url: str, scripts: Scripts) -> None:
    north, south = (settings_for(empty_database_url, service_name=name) for name in ("north", "south"))
    upgraded(north, scripts, SHOP)
    before_the_record(north, "0004")
    with refused("app db check"):
        migrate.upgrade(south)
    start(south)
    with refused("to south"):
        start(north)


@pytest.mark.parametrize(("first", "second"), [(UNNAMED, "north"), ("north", UNNAMED)])
def test_who_has_no_name_refuses_nobody(empty_database_url: str, scripts: Scripts, first: str, second: str) -> None:
    upgraded(settings_for(empty_database_url, service_name=first), scripts, SHOP)
    upgraded(settings_for(empty_database_url, service_name=second), scripts, UPDATED)
