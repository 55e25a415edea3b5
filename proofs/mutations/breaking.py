"""A mutation is found by structure: a definition anywhere in `app`, and an expression or statements inside of it.

Neither the file, nor the layout of the source, nor comments count. Positions inside of an f-string are not reliable on
every Python, so that a fragment is an f-string as a whole or nothing of it.
"""

import ast
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Nodes = list[ast.stmt] | list[ast.expr]


class Mutation(NamedTuple):
    """In the definition `where`, `old` becomes `new`; the tests of the file `tests` have to notice.

    `where` is the end of a dotted name, such as `Policy.check` or `retry_on_failure.delay`. `old` is an expression,
    statements, neighbours in a row of arguments or items (`authentication, validation`), the condition of an `if`
    (`if problem:`), or a decorator of the definition (`@provide`); `new` is of the same kind, or empty.
    """

    name: str
    where: str
    old: str
    new: str
    tests: str


class Place(NamedTuple):
    """Where in a file a fragment stands."""

    file: Path
    nodes: Nodes


def places_of(mutation: Mutation, service: Path) -> list[Place]:
    """All places that a mutation names; a good one names one."""
    find, old = occurrences, mutation.old
    if decorates(mutation):
        find, old = decorators, old.removeprefix("@")
    elif is_condition(mutation):
        find, old = conditions, old.removeprefix("if ").removesuffix(":")
    fragment = parsed(old, _is_expression(old) and (find is not occurrences or _is_expression(mutation.new)))
    return [
        Place(file, found)
        for name, file, definition in definitions_in(service)
        if f".{name}".endswith(f".{mutation.where}")
        for found in find(fragment, definition)
    ]


def decorates(mutation: Mutation) -> bool:
    """Whether it is a decorator that is taken away or changed."""
    return mutation.old.startswith("@")


def is_condition(mutation: Mutation) -> bool:
    """Whether it is the condition of an `if` that is changed."""
    return mutation.old.startswith("if ") and mutation.old.endswith(":")


def break_it(mutation: Mutation, service: Path, copy: Path) -> Path:
    """Change the source of a copy of the service; the path, inside of it, of the file that was changed.

    Raises:
        ValueError: the mutation names no place, or several.
    """
    (place,) = places_of(mutation, service)
    changed = place.file.relative_to(service)
    source = (copy / changed).read_bytes()
    start, end = _extent(source, place.nodes)
    new = mutation.new
    if decorates(mutation):
        start -= 1
    elif is_condition(mutation):
        new = f"({new.removeprefix('if ').removesuffix(':')})"
    elif isinstance(place.nodes[0], ast.expr):
        new = f"({new or None})" if len(place.nodes) == 1 else new
    else:
        column = place.nodes[0].col_offset
        if source.startswith(b"elif", start):
            new, column = f"else:\n{new or 'pass'}", column + 4
        new = ("\n" + " " * column).join((new or "pass").splitlines())
    (copy / changed).write_bytes(source[:start] + new.encode() + source[end:])
    return changed


def _extent(source: bytes, nodes: Nodes) -> tuple[int, int]:
    """Where the first of these nodes begins in a source, and where the last ends."""
    lines = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
    first, last = nodes[0], nodes[-1]
    assert last.end_lineno is not None and last.end_col_offset is not None, "nodes come from a file"
    return lines[first.lineno - 1] + first.col_offset, lines[last.end_lineno - 1] + last.end_col_offset


@cache
def definitions_in(service: Path) -> list[tuple[str, Path, ast.AST]]:
    """All functions, classes and named values of `app`: dotted name, file and node; a module is one, too."""
    found: list[tuple[str, Path, ast.AST]] = []
    for file in sorted((service / "app").rglob("*.py")):
        module = ".".join(file.relative_to(service).with_suffix("").parts)
        tree = ast.parse(file.read_bytes())
        found.append((module, file, tree))
        found += [(name, file, node) for name, node in _definitions(tree, module)]
    return found


def _definitions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(parent):
        name = prefix
        if isinstance(node, Definition):
            name = f"{prefix}.{node.name}"
            yield name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(parent, ast.Module):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            yield f"{prefix}.{ast.unparse(target)}", node
        yield from _definitions(node, name)


def occurrences(old: Nodes, inside: ast.AST) -> Iterator[Nodes]:
    """The places in a definition where a fragment stands."""
    wanted = [_form(node) for node in old]
    for node in _nodes(inside):
        if isinstance(old[0], ast.expr):
            if isinstance(node, ast.expr) and _form(node) == wanted[0]:
                yield [node]
            if isinstance(old[0], ast.Tuple) and not isinstance(node, ast.Compare):
                parts = [_form(one) for one in old[0].elts]
                for row in _rows(node, ast.expr):
                    yield from (run for run in _runs(parts, row) if not isinstance(node, ast.Tuple) or run != node.elts)
            continue
        for body in _rows(node, ast.stmt):
            yield from _runs(wanted, body)


def decorators(old: Nodes, inside: ast.AST) -> Iterator[Nodes]:
    """The decorators of a definition that are as a fragment says."""
    found = inside.decorator_list if isinstance(inside, Definition) else []
    return ([one] for one in found if _form(one) == _form(old[0]))


def conditions(old: Nodes, inside: ast.AST) -> Iterator[Nodes]:
    """The conditions of `if` that are as a fragment says."""
    return ([node.test] for node in _nodes(inside) if isinstance(node, ast.If) and _form(node.test) == _form(old[0]))


def _nodes(inside: ast.AST) -> Iterator[ast.AST]:
    yield inside
    if not isinstance(inside, ast.JoinedStr):
        for child in ast.iter_child_nodes(inside):
            yield from _nodes(child)


def _rows(node: ast.AST, kind: type[ast.expr] | type[ast.stmt]) -> Iterator[Nodes]:
    """The bodies of a statement, or the arguments or items of an expression."""
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and all(isinstance(one, kind) for one in value):
            yield value


def _runs(wanted: list[str], row: Nodes) -> Iterator[Nodes]:
    """The neighbours in a row that have these forms."""
    for start in range(len(row) - len(wanted) + 1):
        run = row[start : start + len(wanted)]
        if [_form(one) for one in run] == wanted:
            yield run


@cache
def _form(node: ast.AST) -> str:
    """What a node is, without where it stands."""
    return ast.dump(node)


def _is_expression(fragment: str) -> bool:
    """Nothing is one, too: `None`."""
    try:
        ast.parse(fragment or "None", mode="eval")
    except SyntaxError:
        return False
    return True


def parsed(fragment: str, is_expression: bool) -> Nodes:
    """A fragment as an expression or as statements."""
    if is_expression:
        return [ast.parse(fragment, mode="eval").body]
    # In a function a fragment may return and yield; in a loop it may go on with the next.
    body = "\n".join(f"  {line}" if line else line for line in fragment.splitlines())
    function = ast.parse(f"async def _():\n for _ in _:\n{body}").body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    loop = function.body[0]
    assert isinstance(loop, ast.For)
    return loop.body
