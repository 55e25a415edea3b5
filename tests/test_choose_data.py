"""What `make choose` does with migrations and tables."""

from pathlib import Path

import pytest

from tests.repositories import baked, evolve, state, write

VERSIONS = "app/migrations/versions"
OURS = 'revision = "20261201080000"\ndown_revision = "{}"\n'


def test_dropping_tables_needs_what_the_service_installs(source: Path, service: Path) -> None:
    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "drop")
    assert (code, state(service)) == (1, "")
    assert said.startswith("pizzeria has no .venv/bin/app: run `make install` there.\n"), said


def test_no_table_is_dropped_where_git_cannot_merge(source: Path, service: Path) -> None:
    (service / ".git/index.lock").touch()  # as a git that was killed leaves it
    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "drop")
    assert (code, said.startswith("git could not merge, and changed no file: ")) == (1, True), said


def test_migrations_of_the_team_follow_what_is_left(source: Path, service: Path) -> None:
    mine = "app/migrations/versions/20261201080000_tickets.py"
    write(service, {mine: 'revision = "20261201080000"\ndown_revision = "0004"\n'})

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "drop")
    assert (code, state(service)) == (1, "")
    assert "Going back to 0002_1 would revert these migrations of yours, too." in said

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "keep")
    assert (code, f"{mine} follows 0002_1 now." in said) == (0, True)
    assert (service / mine).read_text() == 'revision = "20261201080000"\ndown_revision = "0002_1"\n'
    assert "run `app db mark REVISION missing`" in said


def test_migrations_that_come_with_an_answer_are_joined_with_those_of_the_team(source: Path, tmp_path: Path) -> None:
    service = baked(source, tmp_path / "service", "sample=none")
    make = "install:\n\t@touch installed\n"
    write(service, {f"{VERSIONS}/20261201080000_tickets.py": OURS.format("0002_1"), "Makefile": make})

    code, said = evolve(source, service, "choose", "SAMPLE=pizzeria")

    assert (code, (service / "installed").exists()) == (1, True), said
    assert "New migrations, for `app db upgrade`:\n    app/migrations/versions/0003_orders.py\n" in said
    assert "then run in pizzeria:\n    .venv/bin/app db revision --merge 'yours" in said


@pytest.mark.parametrize(
    ("base", "sentence"),
    [("0002_1", "Going back to 0002_1 would revert these migrations of yours, too."), ("0002", "has no .venv/bin/app")],
)
def test_dropping_tables_reverts_no_migration_of_the_team(
    base: str, sentence: str, source: Path, service: Path
) -> None:
    empty = '\n\ndef upgrade() -> None:\n    pass\n\n\ndef downgrade() -> None:\n    """Nothing."""\n'
    joined = 'revision = "20261202080000"\ndown_revision = ("0004", "20261201080000")\n'
    files = {"20261201080000_tickets.py": OURS.format(base), "20261202080000_join.py": joined + empty}
    write(service, {f"{VERSIONS}/{name}": text for name, text in files.items()})

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "drop")

    assert (code, sentence in said, state(service)) == (1, True, ""), said
    assert "join.py" not in said
