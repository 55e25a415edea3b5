"""The migrations in a folder of a service, read without running them."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from scripts.own_code import parsed
from scripts.text import read, replaced, write

PLACES = ("app/migrations/versions", "migrations/versions")  # the second one until 1.1.0


@dataclass(frozen=True)
class Migration:
    """A migration.

    Attributes:
        file: its path in the service.
        revision: its id.
        follows: the ids of those that it follows.
        only_joins: whether it follows several and does nothing itself.
    """

    file: str
    revision: str
    follows: tuple[str, ...]
    only_joins: bool = False


def migrations_in(service: Path) -> list[Migration]:
    """All migrations, by the names of their files."""
    files = sorted(file for place in PLACES for file in (service / place).glob("*.py"))
    found = ((file, _assigned(file)) for file in files)
    return [
        Migration(
            file.relative_to(service).as_posix(),
            names["revision"][0],
            names["down_revision"],
            only_joins=len(names["down_revision"]) > 1 and not _does_something(file),
        )
        for file, names in found
        if "revision" in names
    ]


def heads_of(migrations: Iterable[Migration]) -> list[Migration]:
    """Those that no other follows."""
    followed = {one for migration in migrations for one in migration.follows}
    return [migration for migration in migrations if migration.revision not in followed]


def after(migrations: Iterable[Migration], revisions: set[str]) -> list[Migration]:
    """Those that directly or indirectly follow one of these, and are none of these."""
    found, behind = set(revisions), list[Migration]()
    while new := [one for one in migrations if one.revision not in found and found.intersection(one.follows)]:
        found |= {one.revision for one in new}
        behind += new
    return behind


def redirect(service: Path, migration: Migration, to: dict[str, str]) -> None:
    """Let a migration follow others.

    Args:
        service: its folder.
        migration: the one to change.
        to: the id that it follows -> the id that it shall follow.
    """
    path = service / migration.file
    text = read(path)
    (node,) = (one for one in ast.parse(text).body if _target(one) == "down_revision")
    follows = tuple(dict.fromkeys(to.get(one, one) for one in migration.follows))
    ids = ", ".join(f'"{one}"' for one in follows)
    write(path, replaced(text, cast(ast.Assign, node).value, ids if len(follows) == 1 else f"({ids})"))


def _assigned(file: Path) -> dict[str, tuple[str, ...]]:
    """The ids that a migration assigns to `revision` and `down_revision`."""
    found = {}
    for node in parsed(file).body:
        if (name := _target(node)) in ("revision", "down_revision"):
            constants = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
            found[name] = tuple(one for one in constants if isinstance(one, str) and one != name)
    return found


def _does_something(file: Path) -> bool:
    """Whether its functions have more than docstrings and `pass`."""
    functions = (node for node in parsed(file).body if isinstance(node, ast.FunctionDef))
    statements = (statement for node in functions for statement in node.body)
    idle = (ast.Pass, ast.Constant)
    return any(not isinstance(getattr(one, "value", one), idle) for one in statements)


def _target(node: ast.stmt) -> str | None:
    """The name that a statement assigns to."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return None
