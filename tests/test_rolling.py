"""A release replaces another under load: `make rolling`. First the migration, then each new process for an old one.

Two processes of each release work on PostgreSQL. Clients send each order with a key of its own, and once more if a
process could not answer. No order is lost, none is placed twice, and no client fails.
"""

import asyncio
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deployed import Deployed, Process, execute, install, open_folder, postgres_database, wheel_of
from tests.rolling import Balancer, Ledger, Load
from tests.support import BakedProject

pytestmark = pytest.mark.weekly
ROUNDS = int(os.environ.get("ROUNDS", "1"))
UNTIL_NOTICED_SECONDS = 0.3
"""How long a balancer goes on sending requests to a process that was told to end."""

TABLES = "app/persistence/order_tables.py"
COLUMN = 'Column("release", Text, nullable=False, default="new", server_default="old"),\n    '
MIGRATION = '''"""Which release took an order."""

import sqlalchemy as sa
from alembic import op

revision = "20270101000000"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.add_column("orders", sa.Column("release", sa.Text(), server_default="old", nullable=False))


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_column("orders", "release")
'''


class Releases(NamedTuple):
    """The installed `app` of both."""

    old: Path
    new: Path


def renewed(service: BakedProject, into: Path) -> BakedProject:
    """The next release: it notes itself in a new column."""
    shutil.copytree(service.path, into, ignore=shutil.ignore_patterns(".git"))
    later = BakedProject(into)
    project, tables = later.text("pyproject.toml"), later.text(TABLES)
    (into / "pyproject.toml").write_text(project.replace('version = "0.1.0"', 'version = "0.2.0"'))
    marked = re.compile(r'(?=Column\("placed_at", UtcDateTime, nullable=False\))')
    (into / TABLES).write_text(marked.sub(COLUMN, tables, count=1))
    (into / "app/migrations/versions/20270101000000_release.py").write_text(MIGRATION)
    return later


@pytest.fixture(scope="module")
def releases(default: BakedProject) -> Iterator[Releases]:
    with open_folder() as folder:
        apps = []
        for name, service in (("old", default), ("new", renewed(default, folder / "code"))):
            (folder / name).mkdir()
            apps.append(
                install(wheel_of(service, folder / name), service, folder / name / "venv", Path(sys.executable))
            )
        yield Releases(*apps)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_request_fails_and_no_order_is_lost_or_placed_twice(number: int, releases: Releases, tmp_path: Path) -> None:
    with postgres_database() as url, ExitStack() as stack:
        key = secrets.token_urlsafe(48)
        old, new = (Deployed(app, tmp_path, url, SECRET_KEY=key, DATABASE_POOL_SIZE="3") for app in releases)
        migrated = old.app("db", "upgrade")
        assert migrated.returncode == 0, migrated.stderr
        ledger = asyncio.run(roll(old, new, stack, tmp_path))
        assert new.app("db", "check").returncode == 0
        rows = execute("SELECT id, release FROM orders", url)

    told = f"{len(ledger.placed)} orders, {ledger.retried} sent again, the slowest in {ledger.slowest_seconds:.2f} s"
    print(f"\nRelease {number + 1}: {told}")
    assert ledger.failed == []
    assert sorted(str(row["id"]) for row in rows) == sorted(ledger.placed.values())
    assert {row["release"] for row in rows} == {"old", "new"}


async def roll(old: Deployed, new: Deployed, stack: ExitStack, folder: Path) -> Ledger:
    """Replace two processes by two others, one by one, under load."""

    async def started(release: Deployed, name: str) -> tuple[Process, str]:
        process = stack.enter_context(release.process(["run", "--port", "0"], folder / name))
        return process, await asyncio.to_thread(process.address)

    first, second = await started(old, "old-1"), await started(old, "old-2")
    balancer = Balancer(first[1], second[1])
    async with Load(balancer) as load:
        await load.more()
        migrated = await asyncio.to_thread(new.app, "db", "upgrade")
        assert migrated.returncode == 0, migrated.stderr
        await load.more()  # the old release goes on, on the new schema
        for number, (process, address) in enumerate((first, second)):
            balancer.addresses.append((await started(new, f"new-{number}"))[1])
            await load.more()
            ending = asyncio.create_task(asyncio.to_thread(process.ended))
            await asyncio.sleep(UNTIL_NOTICED_SECONDS)
            balancer.addresses.remove(address)
            assert await ending == 0, process.log.read_text()
        await load.more()
    return load.ledger
