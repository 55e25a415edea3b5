"""What the code of a team imports, and imports that follow what the template has moved."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Place = tuple[str, str]
"""A module and a name in it."""


@dataclass(frozen=True)
class Use:
    """A line that imports something.

    Attributes:
        file: its path in the service.
        line: the number of the line.
        module: what is imported, or what it is imported from.
    """

    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def module_of(file: str) -> str:
    """The module that a file is."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def uses(folder: Path, files: Iterable[str], gone: set[str]) -> Iterator[Use]:
    """The imports of modules that will be gone.

    Args:
        folder: the service.
        files: the ones to read; those that are no Python are left out.
        gone: the modules.
    """
    for file in sorted(files):
        for node in ast.walk(_parsed(folder / file)):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            yield from (Use(file, node.lineno, module) for module in found if module in gone)


def follow(folder: Path, files: Iterable[str], moved: Mapping[Place, str]) -> list[str]:
    """Let imports name the modules in which things are now; the files that were changed.

    Args:
        folder: the service.
        files: the ones to change; those that are no Python are left out.
        moved: a module and a name in it -> the module that has the name now.
    """
    changed = []
    for file in sorted(files):
        nodes = [node for node in ast.walk(_parsed(folder / file)) if isinstance(node, ast.ImportFrom)]
        late = [node for node in nodes if any((node.module, alias.name) in moved for alias in node.names)]
        if late:
            lines = (folder / file).read_text(encoding="utf-8").splitlines()
            for node in sorted(late, key=lambda one: one.lineno, reverse=True):
                lines[node.lineno - 1 : node.end_lineno] = _written(node, moved.get)
            (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
            changed.append(file)
    return changed


def _written(node: ast.ImportFrom, now_in: Callable[[Place, str], str]) -> list[str]:
    module = node.module or ""
    by_module: dict[str, list[str]] = {}
    for alias in node.names:
        words = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
        by_module.setdefault(now_in((module, alias.name), module), []).append(words)
    return [f"{' ' * node.col_offset}from {one} import {', '.join(names)}" for one, names in by_module.items()]


def _parsed(file: Path) -> ast.Module:
    """The tree of a file; of one that is no Python, or has no valid syntax, an empty one."""
    try:
        return ast.parse(file.read_bytes()) if file.suffix == ".py" and file.is_file() else ast.Module([], [])
    except SyntaxError:
        return ast.Module([], [])
