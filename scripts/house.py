"""Print how large a service is and how it hangs together, for each part: `make house`.

Code lines are those that are not blank, comment, docstring or import. The levels of a package are the longest chain of
its members that import each other; members in a circle count as one.
"""

import argparse
import ast
import io
import sys
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import grimp

from scripts.bake import ROOT, SERVICE

LONG_FUNCTION, LONG_FILE = 25, 180
PACKAGES = ("app", "app.core.cqrs")
"""Whose members are looked at as a graph; those below stay parts of their parents there."""
BUS, KIT = "app/core/cqrs", "app/core/cqrs/testing"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """A file of Python."""

    path: Path
    lines: int
    code: int
    functions: tuple[tuple[int, str], ...]
    """How many lines each function has, without decorators, and its name."""


class Shape(NamedTuple):
    """How the members of a package import each other."""

    members: int
    levels: int
    arrows: int
    circles: list[list[str]]


def read(path: Path) -> Source:
    """Count the lines of a file."""
    text = path.read_text()
    tree = ast.parse(text)
    functions = [one for one in ast.walk(tree) if isinstance(one, Function)]
    lengths = tuple(((one.end_lineno or 0) - one.lineno + 1, one.name) for one in functions)
    return Source(path, len(text.splitlines()), len(_code(text) - _passed_over(tree)), lengths)


def _code(text: str) -> set[int]:
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {line for one in tokens if one.type not in nothing for line in range(one.start[0], one.end[0] + 1)}


def _passed_over(tree: ast.AST) -> set[int]:
    """The lines of imports, and of texts that stand alone: docstrings."""
    found = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
    )
    return {line for node in found for line in range(node.lineno, (node.end_lineno or 0) + 1)}


def shape_of(graph: grimp.ImportGraph, package: str) -> Shape:
    """How the members of a package import each other; what is imported for types alone counts, too."""

    def member(module: str) -> str | None:
        inside = module.removeprefix(f"{package}.")
        return inside.partition(".")[0] if inside != module else None

    below: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        if (here := member(module)) is None:
            continue
        imported = {member(one) for one in graph.find_modules_directly_imported_by(module)}
        below[here] |= {one for one in imported if one is not None and one != here}
    circles = [sorted(circle) for circle in _circles(below) if len(circle) > 1]
    return Shape(len(below), _levels(below), sum(map(len, below.values())), circles)


def _reachable(below: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [*below[start]]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += below.get(one, ())
    return found


def _circles(below: dict[str, set[str]]) -> set[frozenset[str]]:
    """The members, those that import each other round a circle together."""
    reached = {one: _reachable(below, one) | {one} for one in below}
    return {frozenset(other for other in reached[one] if one in reached.get(other, {other})) for one in below}


def _levels(below: dict[str, set[str]]) -> int:
    circle_of = {one: circle for circle in _circles(below) for one in circle}
    lower: dict[frozenset[str], set[frozenset[str]]] = defaultdict(set)
    for one, others in below.items():
        lower[circle_of[one]] |= {circle_of[other] for other in others if other in circle_of} - {circle_of[one]}
    heights: dict[frozenset[str], int] = {}
    for circle in TopologicalSorter(lower).static_order():
        heights[circle] = 1 + max((heights[one] for one in lower.get(circle, ())), default=0)
    return max(heights.values(), default=0)


@cache
def sources_in(folder: Path) -> list[Source]:
    """The files of a folder and those below it."""
    return [read(file) for file in sorted(folder.rglob("*.py"))]


def parts(service: Path) -> Iterator[tuple[str, list[Source]]]:
    """The parts of a service: the whole, its packages, and the folders of its tests."""

    def sources(folder: str) -> list[Source]:
        return sources_in(service / folder)

    def rooms(folder: str) -> list[str]:
        return sorted(one.name for one in (service / folder).iterdir() if one.is_dir() and any(one.rglob("*.py")))

    kit = {source.path for source in sources(KIT)}
    yield "app", sources("app")
    yield from ((f"app/{room}", sources(f"app/{room}")) for room in rooms("app"))
    yield f"{BUS} without the kit", [source for source in sources(BUS) if source.path not in kit]
    yield KIT, sources(KIT)
    yield "tests", sources("tests")
    yield from ((f"tests/{room}", sources(f"tests/{room}")) for room in rooms("tests"))


def table(rows: Iterable[tuple[str, Sequence[Source]]]) -> Iterator[str]:
    """A line for each part."""
    yield f"{'part':32} {'files':>6} {'lines':>7} {'code':>7}   largest file, longest function"
    for name, sources in rows:
        if not sources:
            continue
        longest = max((one for source in sources for one in source.functions), default=(0, "-"))
        largest = max(sources, key=lambda source: source.lines)
        yield (
            f"{name:32} {len(sources):6,} {_sum(sources, lambda one: one.lines):7,} "
            f"{_sum(sources, lambda one: one.code):7,}   {largest.path.name} {largest.lines}, {longest[1]} {longest[0]}"
        )


def _sum(sources: Iterable[Source], count: Callable[[Source], int]) -> int:
    return sum(map(count, sources))


def too_long(service: Path) -> Iterator[str]:
    """The files and functions of `app` that are longer than they should be."""
    sources = sources_in(service / "app")
    files = [(one.lines, str(one.path.relative_to(service))) for one in sources if one.lines > LONG_FILE]
    functions = [
        (lines, f"{source.path.relative_to(service)}: {name}")
        for source in sources
        for lines, name in source.functions
        if lines > LONG_FUNCTION
    ]
    for what, found, limit in (("files", files, LONG_FILE), ("functions", functions, LONG_FUNCTION)):
        yield f"\n{len(found)} {what} of app have more than {limit} lines"
        yield from (f"  {lines:4} {name}" for lines, name in sorted(found, reverse=True))


def main() -> int:
    """Print it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.house", description=__doc__)
    parser.add_argument("service", nargs="?", type=Path, default=ROOT / SERVICE, help="its folder")
    service = parser.parse_args().service.resolve()
    sys.path.insert(0, str(service))
    graph = grimp.build_graph("app", cache_dir=None)
    print("\n".join(table(parts(service))))
    print(f"\n{'package':32} {'members':>8} {'levels':>7} {'arrows':>7}   circles")
    for package in PACKAGES:
        members, levels, arrows, circles = shape_of(graph, package)
        print(f"{package:32} {members:8} {levels:7} {arrows:7}   {', '.join(map('-'.join, circles)) or 'none'}")
    print("\n".join(too_long(service)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
