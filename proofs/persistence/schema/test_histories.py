"""Random histories of two branches and of template updates: each migration runs once, or is refused by its name."""

from pathlib import Path
from random import Random

import pytest

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.persistence.schema import migrate, revisions
from support.lines import Line, Scripts, ask, ran, start
from tests.databases import settings_for

Code = dict[str, str | tuple[str, ...] | None]
HISTORIES = 20


class History:
    """What two developers do to their code, each on a branch, and what the template brings."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.number = 0
        self.template: Code = {"0001": None, "0002": "0001"}
        self.own: dict[str, list[str]] = {"a": [], "b": []}

    def step(self) -> None:
        """One of them writes a migration, or the template puts one in before the own ones."""
        self.number += 1
        if self.random.random() < 0.3:
            last = [*self.template][-1]
            self.template[f"0002_{self.number}"] = last
            return
        branch = self.random.choice("ab")
        self.own[branch].append(f"{branch}{self.number}")

    def on(self, *branches: str, merged: bool = False) -> Line:
        """The code with the own ones of these branches, in this order, or each by itself and joined at the end."""
        last = [*self.template][-1]
        code = dict(self.template)
        ends: list[str] = []
        for branch in branches:
            follows = last if merged or not ends else ends[-1]
            for one in self.own[branch]:
                code[one], follows = follows, one
            ends.append(follows)
        if merged and len(set(ends)) == 2 and last not in ends:
            code[f"m{self.number}"] = tuple(ends)
        return code


def upgrade(settings: Settings, scripts: Scripts, line: Line, before: set[str]) -> set[str]:
    """Upgrade to a code: all of it ran once, or it was refused with the name of one that is missing."""
    scripts.are(line)
    missing = set(line) - before
    if missing and before - set(line):
        for look in (migrate.upgrade, start):
            with pytest.raises(ConfigurationError, match="|".join(missing)):
                look(settings)
        assert ran(settings) == sorted(before)
        return before
    migrate.upgrade(settings)
    assert ran(settings) == sorted(before | set(line))
    start(settings)
    if not before - set(line):
        assert ask(settings, "SELECT version_num FROM alembic_version") == [revisions.read_revisions().newest]
    return before | set(line)


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_every_migration_runs_once(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    settings, scripts = settings_for(empty_database_url), Scripts(tmp_path / "scripts", monkeypatch)
    history = History(seed)
    had: set[str] = set()
    random = history.random
    for _ in range(random.randint(2, 4)):
        for _ in range(random.randint(1, 3)):
            history.step()
        had = upgrade(settings, scripts, history.on(random.choice("ab")), had)
    ends = random.choice([history.on("a", "b"), history.on("b", "a"), history.on("a", "b", merged=True)])
    had = upgrade(settings, scripts, ends, had)
    assert set(ends) <= had, "the code that has everything is never refused"
