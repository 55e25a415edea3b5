"""The files as they will be; all of it is checked before the first is written."""

import ast
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.cli.new import python
from app.cli.new.guide import ROOT, Block
from app.cli.new.kinds import UseCase
from app.cli.new.renaming import Renaming
from app.cli.terminal import CommandError
from app.persistence.schema.revisions import SCRIPTS, read_revisions

VERSIONS = (SCRIPTS / "versions").relative_to(ROOT).as_posix()
MEMBERS = {
    "app/domain/ticket_events.py": ("TicketEvent", {"ticket_id", "user_id"}),
    "app/domain/ticket.py": ("Ticket", {"id", "user_id", "status"}),
    "app/persistence/repositories/ticket_repository.py": ("TicketRepository", {"locked"}),
}
"""File -> its class, and the members that additions rely on."""


@dataclass(frozen=True)
class Change:
    """A file, as it is and as it will be; `before` is None if it is new."""

    path: str
    before: str | None
    after: str

    def diff(self) -> str:
        """The change as `git diff` shows it."""
        old, new = (self.before or "").splitlines(keepends=True), self.after.splitlines(keepends=True)
        from_file = "/dev/null" if self.before is None else f"a/{self.path}"
        return "".join(difflib.unified_diff(old, new, from_file, f"b/{self.path}"))


def planned(case: UseCase) -> list[Change]:
    """The files of a use case, formatted and checked.

    Raises:
        CommandError: if a file exists already, what the use case is built on is missing, or lint would refuse it.
    """
    renaming = Renaming(case.words)
    blocks = [one for one in case.blocks if not ("..." in one[0].path and _is_granted(renaming.name(case.granted)))]
    _require_free(blocks, renaming)
    before: dict[str, str] = {}
    files: dict[str, str] = {}
    for block, is_addition in blocks:
        path, code = _placed(block, renaming, case.texts)
        if path not in files and (there := _text_to_add_to(path, is_addition)) is not None:
            files[path] = before[path] = there
            _tree(path, files)  # refuses a file that is not Python, before code is added to it
        files[path] = python.added(files[path], code) if path in files else code
    _require_formatted(before)
    files = python.tidied(files, [path for path in files if path not in before])
    if before:
        _require_members(files, renaming)
    _require_imported(files)
    python.require_clean(files)
    return [Change(path, before.get(path), after) for path, after in files.items()]


def _placed(block: Block, renaming: Renaming, texts: Mapping[str, str]) -> tuple[str, str]:
    """Where a block belongs, and its code in other words."""
    path, code = renaming.name(block.path), renaming.code(block.code)
    for old, new in texts.items():
        code = code.replace(renaming.code(old), new)
    if "..." not in path:
        return path, code
    revisions = read_revisions()
    ids = iter((revisions.name_for_now(), revisions.newest))
    path = f"{VERSIONS}/{path.rpartition('/')[2].replace('...', revisions.name_for_now())}"
    return path, re.sub(r'(?<= = ")\.\.\.(?=")', lambda _: next(ids), code)


def _text_to_add_to(path: str, is_addition: bool) -> str | None:
    """The text of a file that is added to; None if the file is new, as tests may be that a team does not have yet."""
    exists = (ROOT / path).exists()
    if exists and not is_addition:
        raise CommandError(f"{path} exists already: nothing is overwritten.")
    if is_addition and not exists and not path.startswith("tests/"):
        raise CommandError(f"There is no {path}: `app new aggregate` writes it, and the rest is built on it.")
    return (ROOT / path).read_bytes().decode() if exists else None


def _require_formatted(files: Mapping[str, str]) -> None:
    """Make sure that formatting changes nothing but what is added."""
    for path, code in python.tidied(files).items() if files else ():
        if code != files[path]:
            raise CommandError(f"{path} is not formatted: run `make format` first.")


def _is_granted(permission: str) -> bool:
    """Whether a migration grants the permission already."""
    return bool(permission) and any(
        f'"{permission}"' in file.read_text(encoding="utf-8") for file in (ROOT / VERSIONS).glob("*.py")
    )


def _require_free(blocks: list[tuple[Block, bool]], renaming: Renaming) -> None:
    """Make sure that no name becomes one that the code of the blocks uses for something else."""
    used = {name for block, _ in blocks for name in _declared(block.code)}
    kept = {name for name in used if not renaming.has(name)}
    doubled = kept & {renaming.name(name) for name in used - kept}
    for new, _ in renaming.words.values():
        if new in doubled:
            raise CommandError(f"{new} is a name that the code itself uses: choose another, of two words for instance.")


def _require_members(files: Mapping[str, str], renaming: Renaming) -> None:
    for path, (cls, members) in MEMBERS.items():
        name, path = renaming.name(cls), renaming.name(path)
        found = next(
            (node for node in _tree(path, files).body if isinstance(node, ast.ClassDef) and node.name == name), None
        )
        inside = {one for node in (found.body if found else ()) for one in _bound(node)}
        if missing := sorted({renaming.name(member) for member in members} - inside):
            raise _missing(path, f"{name}.{missing[0]}")


def _require_imported(files: Mapping[str, str]) -> None:
    """Make sure that what the files import from this service exists."""
    for node in (node for code in files.values() for node in ast.walk(ast.parse(code))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("app.", "tests.")):
            path = (node.module or "").replace(".", "/")
            path = f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"
            known = {one for inner in _tree(path, files).body for one in _bound(inner)}
            for alias in node.names:
                if alias.name not in known:
                    raise _missing(path, alias.name)


def _tree(path: str, files: Mapping[str, str]) -> ast.Module:
    code = files.get(path)
    if code is None:
        code = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else ""
    try:
        return ast.parse(code)
    except SyntaxError as error:
        raise CommandError(f"{path} is not valid Python: line {error.lineno}, {error.msg}.") from None


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _declared(code: str) -> Iterator[str]:
    """The names of a module, its imports, its functions and their arguments and variables."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(name := getattr(node, "id", getattr(node, "name", None)), str):
            yield name
        if isinstance(node, ast.arg):
            yield node.arg


def _missing(path: str, name: str) -> CommandError:
    return CommandError(
        f"{path} has no {name}, which this is built on. `app new aggregate` writes it; for an aggregate of another "
        "shape, follow docs/commands.md by hand."
    )
