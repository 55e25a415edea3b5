"""What follows a merge: versions, imports, the order of migrations, and what becomes of the data."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts import migrations, upgrades
from scripts.merging import Merged
from scripts.own_code import follow, module_of, uses
from scripts.service import UNDO, Service, UpdateError, listed

INSTALL = ["make", "--no-print-directory", "install"]


def settle_data(service: Service, gone: list[migrations.Migration], data: str) -> None:
    """Do with the tables of a part that is given up what its team has chosen, while the code still has its migrations.

    Args:
        service: before the merge.
        gone: the migrations that will be gone.
        data: `drop`, `keep`, or nothing to ask at the terminal.

    Raises:
        UpdateError: if nobody says what becomes of the data, or dropping it is not safe.
    """
    if not gone:
        return
    names = ", ".join(one.revision for one in gone)
    if not data and sys.stdin.isatty():
        data = input(f"What becomes of the tables of the migrations {names}: drop or keep? ").strip()
    base = _base(gone)
    if data == "keep":
        print(
            f"The tables of the migrations {names} stay. On each database run `app db mark REVISION missing` for each "
            "of these; `app db check` names the tables until a migration of yours drops them."
        )
    elif data == "drop":
        behind = migrations.after(migrations.migrations_in(service.folder), {base})
        own = [one.file for one in behind if one.revision not in names.split(", ") and not one.only_joins]
        if own:
            raise UpdateError(
                f"Going back to {base} would revert these migrations of yours, too. Say DATA=keep, and drop the tables "
                f"of {names} in a migration of yours:\n{listed(own)}"
            )
        try:
            _run(service, ".venv/bin/app", "db", "downgrade", base)
        except UpdateError as error:
            raise UpdateError(f"{error}\nDATA=keep leaves the database as it is.") from None
        print(
            f"The tables of {names} are dropped at this DATABASE_URL; git does not bring them back. For each other "
            f"database run `app db downgrade {base}` with the release that it runs now, before you deploy this one."
        )
    else:
        raise UpdateError(
            f"The migrations {names} will be gone. Say what becomes of their tables: DATA=drop deletes them, DATA=keep "
            "leaves the database as it is."
        )


def tell(merged: Merged) -> None:
    """Name the files that a merge could not simply take over."""
    for sentence, names in (
        ("Both have changed these, see the marks of git in them:", merged.conflicts),
        ("The template no longer has these. You have changed them, so they stay, and are yours:", merged.kept),
        ("The template has changed these. You have deleted them, so they stay deleted:", merged.deleted),
    ):
        if names:
            print(f"{sentence}\n{listed(names)}", end="")


def redirect_own(service: Service, gone: list[migrations.Migration]) -> None:
    """Let migrations of the team that followed one that is gone follow the one before it."""
    to = {one.revision: _base(gone) for one in gone}
    for one in migrations.migrations_in(service.folder):
        if to.keys() & one.follows:
            migrations.redirect(service.folder, one, to)
            service.git("add", one.file)
            print(f"{one.file} follows {', '.join(to.get(other, other) for other in one.follows)} now.")


def catch_up(
    service: Service, old: Path, new: Path, made: Mapping[str, bytes], commits: tuple[str, str]
) -> list[list[str]]:
    """Let the code of the team follow what an update has moved, and tell what is left; the commands that are due.

    Args:
        service: after the merge.
        old, new: the service as the template made it and makes it now.
        made: the files of the second, with their bytes.
        commits: those of the template that it was and is up to date with.
    """
    due = []
    own = service.own_files(made)
    if changed := follow(service.folder, own, upgrades.moved_between(*commits)):
        due.append([".venv/bin/ruff", "check", "--quiet", "--fix", "--select", "I", *changed])
        due.append([".venv/bin/ruff", "format", "--quiet", *changed])
        print(f"Imports in these files name the modules of now:\n{listed(changed)}", end="")
    there = {file.relative_to(old).as_posix() for file in old.rglob("*.py")}
    gone = {module_of(file) for file in there - made.keys() if not (service.folder / file).exists()}
    if left := [str(use) for use in uses(service.folder, own, gone)]:
        print(f"These lines import modules that are gone; change them by hand:\n{listed(left)}", end="")
    due += join_migrations(service, old, new)
    for step in upgrades.steps_between(*commits):
        print(f"By hand: {step}")
    return due


def join_migrations(service: Service, old: Path, new: Path) -> list[list[str]]:
    """Tell which migrations came; the command that is due if they and the team's have two ends.

    Args:
        service: after the merge.
        old, new: the service as the template made it and makes it now.
    """
    before = {one.revision for one in migrations.migrations_in(old)}
    came = [one.file for one in migrations.migrations_in(new) if one.revision not in before]
    if came:
        print(f"New migrations, for `app db upgrade`:\n{listed(came)}", end="")
    is_split = len(migrations.heads_of(migrations.migrations_in(service.folder))) > 1
    return [[".venv/bin/app", "db", "revision", "--merge", "yours and the template's"]] if is_split else []


def finish(service: Service, due: list[list[str]], problem: str) -> None:
    """Run what is due, one after the other.

    Args:
        service: after the merge.
        due: the commands.
        problem: what a person has to do first; empty: nothing.

    Raises:
        UpdateError: if there is a problem, or a command fails; the sentence has the commands that are left.
    """
    left = list(due)
    while left and not problem:
        try:
            print(_run(service, *left[0]), end="")
            del left[0]
        except UpdateError as error:
            problem = f"{error}\nSee to that"
    if problem:
        commands = "".join(f"    {shlex.join(words)}\n" for words in [*left, ["make", "check"]])
        raise UpdateError(f"{problem}, then run in {service.folder.name}:\n{commands}{UNDO}")
    service.git("add", "--all", ".")


def _base(gone: list[migrations.Migration]) -> str:
    """The migration before those that will be gone."""
    revisions = {one.revision for one in gone}
    (base,) = {other for one in gone for other in one.follows} - revisions
    return base


def _run(service: Service, *words: str) -> str:
    try:
        done = subprocess.run(words, cwd=service.folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UpdateError(f"{service.folder.name} has no {words[0]}: run `make install` there.") from None
    if done.returncode != 0:
        raise UpdateError(f"{' '.join(words[:4])} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
