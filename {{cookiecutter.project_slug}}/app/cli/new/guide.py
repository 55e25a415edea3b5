"""The guide's blocks that `app new` writes: their fence names the kind, their first line the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.cli.terminal import CommandError

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```python app new (\w+)\n# (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KINDS = ("aggregate", "command", "query", "event_handler", "projection")


@dataclass(frozen=True)
class Block:
    """A file, or what is added to one: its path from the root of the service, and its code."""

    path: str
    code: str


def require_checkout() -> None:
    """Make sure that there is a guide to write from, and a project to write into.

    Raises:
        CommandError: if the service was installed without its sources.
    """
    if not (ROOT / "docs" / "index.md").exists() or not (ROOT / "pyproject.toml").exists():
        raise CommandError(
            "`app new` and `app undo` work in a checkout of the service, with its docs/ and tests/ beside app/. "
            "This service was installed without them."
        )


def blocks_of(kind: str) -> list[Block]:
    """The blocks of one kind, in the order of the pages' names.

    Raises:
        CommandError: if there are none, because the guide was changed.
    """
    found = [block for marked, block in _marked() if marked == kind]
    if not found:
        raise CommandError(f"No page of docs/ has a block that begins with ```python app new {kind}.")
    return found


def is_addition(block: Block, kind: str) -> bool:
    """Whether the block is added to a file that an aggregate begins."""
    return kind != "aggregate" and block.path in {one.path for one in blocks_of("aggregate")}


def _marked() -> Iterator[tuple[str, Block]]:
    for page in sorted((ROOT / "docs").glob("*.md")):
        for kind, path, code in BLOCK.findall(page.read_text(encoding="utf-8")):
            yield kind, Block(path, code)
