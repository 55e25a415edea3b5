"""Adds to a module as the guide says, and lets ruff sort its imports, format it and check it."""

import ast
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from app.cli.new.guide import ROOT
from app.cli.terminal import CommandError

FIRST_PARTY = 'lint.isort.known-first-party = ["app", "tests"]'
"""In a temporary folder ruff cannot find `app` and `tests`, and would sort them among the libraries."""
IN_CLASS = re.compile(r"^class (\w+)\b.*:\n    \.\.\.\n", re.MULTILINE)
"""The first lines of a block that extends a class, as the guide writes it: its `class` line, and `...`."""


def added(module: str, block: str) -> str:
    """A module with a block: its imports at the top, the rest at the end, or at the end of the class that it names.

    Raises:
        CommandError: if there is no such class.
    """
    imports, rest = _split(block)
    lines = _lines(module)
    if extended := IN_CLASS.match(rest):
        lines.insert(_end_of_class(module, extended[1]), rest[extended.end() :])
    else:
        lines.append(f"\n\n{rest}")
    lines.insert(_place_of_imports(module), imports)
    return "".join(lines)


def tidied(files: Mapping[str, str], new: Collection[str] = ()) -> dict[str, str]:
    """The files as `make format` leaves them.

    Args:
        files: path from the root of the service -> code.
        new: the paths of those from which unused imports are removed.
    """
    with _laid_out(files) as folder:
        _ruff(folder, "check", "--fix-only", "--select", "I", *files)
        if new:
            _ruff(folder, "check", "--fix-only", "--select", "F401", *new)
        _ruff(folder, "format", *files)
        return {path: (folder / path).read_bytes().decode() for path in files}


def require_clean(files: Mapping[str, str]) -> None:
    """Make sure that `make lint` has nothing to say.

    Raises:
        CommandError: what it says first.
    """
    with _laid_out(files) as folder:
        said = _ruff(folder, "check", "--output-format", "concise", *files)
    if said:
        raise CommandError(f"Nothing was written, because `make lint` would refuse it: {said.splitlines()[0]}")


@contextmanager
def _laid_out(files: Mapping[str, str]) -> Iterator[Path]:
    with TemporaryDirectory() as name:
        for path, code in files.items():
            (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(name) / path).write_bytes(code.encode())
        yield Path(name)


def _ruff(folder: Path, command: str, *arguments: str) -> str:
    """Run ruff by the rules of the service, and return what it prints."""
    beside = Path(sysconfig.get_path("scripts")) / "ruff"
    ruff = str(beside) if beside.exists() else shutil.which("ruff")
    if ruff is None:
        raise CommandError("`app new` formats what it writes by ruff, which is not installed: run `make install`.")
    rules = ["--config", str(ROOT / "pyproject.toml"), "--config", FIRST_PARTY]
    done = subprocess.run(  # noqa: S603 - these are its arguments, no shell's
        [ruff, command, "--quiet", "--no-cache", *rules, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def _lines(code: str) -> list[str]:
    """The lines as Python counts them: `splitlines` also ends one at a form feed."""
    return list(StringIO(code, newline=""))


def _place_of_imports(code: str) -> int:
    """The index of the line before which imports are inserted: the first import, or the line after the docstring."""
    body = ast.parse(code).body
    first = next((node.lineno - 1 for node in body if isinstance(node, ast.Import | ast.ImportFrom)), None)
    if first is not None:
        return first
    return (body[0].end_lineno or 0) if body and isinstance(body[0], ast.Expr) else 0


def _end_of_class(code: str, name: str) -> int:
    for node in ast.parse(code).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node.end_lineno or 0
    raise CommandError(f"There is no class {name} to add to.")


def _split(block: str) -> tuple[str, str]:
    imports = [node for node in ast.parse(block).body if isinstance(node, ast.Import | ast.ImportFrom)]
    end = max((node.end_lineno or 0 for node in imports), default=0)
    lines = _lines(block)
    return "".join(lines[:end]), "".join(lines[end:]).lstrip("\n")
