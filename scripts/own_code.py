"""What the code of a team uses, and imports that follow what the template has moved."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.text import beside, comments_of, read, replaced, write

Place = tuple[str, str]
"""A module and a name in it."""
TAKE_TABLES = {"ForeignKey", "ForeignKeyConstraint", "Table", "table"}
"""What takes the name of a table, beside Alembic's operations."""
SQL = r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|ALTER|DROP|CREATE)\b"


@dataclass(frozen=True)
class Use:
    """A line that uses something.

    Attributes:
        file: its path in the service.
        line: the number of the line.
        what: what the line does, such as `imports app.domain.order`.
    """

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.what}"


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
        for node in ast.walk(parsed(folder / file)):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            yield from (Use(file, node.lineno, f"imports {module}") for module in found if module in gone)


def tables_in(folder: Path, files: Iterable[str]) -> set[str]:
    """The tables that these modules declare: the first argument of each `Table`."""
    calls = [node for file in files for node in ast.walk(parsed(folder / file)) if isinstance(node, ast.Call)]
    declared = [node.args[0] for node in calls if ast.unparse(node.func) == "Table" and node.args]
    return {one.value for one in declared if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def uses_of_tables(folder: Path, files: Iterable[str], tables: set[str]) -> Iterator[Use]:
    """Foreign keys, SQLAlchemy's tables, Alembic's operations and SQL that name one of these tables.

    Args:
        folder: the service.
        files: the ones to read; those that are no Python are left out.
        tables: the names of the tables.
    """
    if not tables:
        return
    clause = rf"(?:FROM|JOIN|INTO|UPDATE|TABLE|REFERENCES)\s+\"?({'|'.join(map(re.escape, tables))})\b"
    for file in sorted(files):
        tree = parsed(folder / file)
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            named = set(_tables_of(node)) & tables
            text = node.value if isinstance(node, ast.Constant) and id(node) not in prose else None
            if isinstance(text, str) and re.match(SQL, text, re.IGNORECASE):
                named |= {found[1] for found in re.finditer(clause, text, re.IGNORECASE)}
            if isinstance(node, ast.expr):
                yield from (Use(file, node.lineno, f"names the table {table}") for table in sorted(named))


def _tables_of(node: ast.AST) -> Iterator[str]:
    """The tables that a call may name: `orders`, or `orders.id` in a list, too."""
    if not isinstance(node, ast.Call):
        return
    function = ast.unparse(node.func)
    if not function.startswith("op.") and function.rpartition(".")[2] not in TAKE_TABLES:
        return
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    listed = [one for several in given if isinstance(several, ast.List | ast.Tuple) for one in several.elts]
    for one in (*given, *listed):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and (one in given or "." in one.value):
            yield one.value.partition(".")[0]


def follow(folder: Path, files: Iterable[str], moved: Mapping[Place, str]) -> list[str]:
    """Let imports name the modules in which things are now; the files that were changed.

    Args:
        folder: the service.
        files: the ones to change; those that are no Python are left out.
        moved: a module and a name in it -> the module that has the name now.
    """
    changed = []
    for file in sorted(files):
        nodes = [node for node in ast.walk(parsed(folder / file)) if isinstance(node, ast.ImportFrom)]
        late = [node for node in nodes if any((node.module, alias.name) in moved for alias in node.names)]
        if late:
            text = read(folder / file)
            for node in sorted(late, key=lambda one: (one.lineno, one.col_offset), reverse=True):
                text = replaced(text, node, _written(text, node, moved.get))
            write(folder / file, text)
            changed.append(file)
    return changed


def _written(text: str, node: ast.ImportFrom, now_in: Callable[[Place, str], str]) -> str:
    """An import for each module, on lines of their own with the comments of their names, or with `;` between them."""
    module = node.module or ""
    by_module: dict[str, list[ast.alias]] = {}
    for alias in node.names:
        by_module.setdefault(now_in((module, alias.name), module), []).append(alias)
    imports = [f"from {one} import {', '.join(map(ast.unparse, names))}" for one, names in by_module.items()]
    before, after = beside(text, node)
    if before.strip() or after.strip()[:1] not in ("", "#"):
        return "; ".join(imports)
    comments, lines = comments_of(text, node), {alias.lineno for alias in node.names}
    for place, names in enumerate(by_module.values()):
        others = lines - {alias.lineno for alias in names}
        if place == len(imports) - 1:
            others |= {node.end_lineno or 0}  # what stands behind the node stays there
        imports[place] += "".join(f"  {said}" for line, said in comments.items() if line not in others)
    end = "\r\n" if after.endswith("\r\n") else "\n"
    return f"{end}{before}".join(imports)


def parsed(file: Path) -> ast.Module:
    """The tree of a file; of one that is no Python, or has no valid syntax, an empty one."""
    try:
        return ast.parse(file.read_bytes()) if file.suffix == ".py" and file.is_file() else ast.Module([], [])
    except SyntaxError:
        return ast.Module([], [])
