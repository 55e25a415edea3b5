"""The table of docs/features.md: what its rows name, and what is wrong with them."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from scripts.bake import ROOT, SERVICE

ROW = re.compile(r"^\| (\d+) \| (.+) \| (.*) \| (.*) \|$", re.MULTILINE)
NO_SERVER = re.compile("does not answer|cannot run here")
"""What tests say when they are skipped because of what the machine lacks."""


@dataclass(frozen=True)
class Row:
    """A row: its number, the files it names, and the tests and pages that keep it true."""

    number: int
    files: tuple[str, ...]
    tests: tuple[str, ...]
    pages: tuple[str, ...]


def rows_in(table: str) -> list[Row]:
    """The rows of a table."""
    return [_row(*found) for found in ROW.findall(table)]


def all_rows() -> list[Row]:
    """The rows of docs/features.md."""
    return rows_in((ROOT / "docs" / "features.md").read_text(encoding="utf-8"))


def _row(number: str, _: str, where: str, kept: str) -> Row:
    named = re.findall(r"`([^`]+)`", kept)
    tests = tuple(name for name in named if "::" in name)
    return Row(int(number), tuple(re.findall(r"`([^`]+)`", where)), tests, tuple(n for n in named if n not in tests))


def wrong_numbers(rows: Iterable[Row], last: int) -> list[str]:
    """Each number is there once, and in order."""
    numbers = [row.number for row in rows]
    missing = [f"{number}: is missing" for number in range(1, last + 1) if number not in numbers]
    return missing + ([] if numbers == sorted({*numbers}) else ["the numbers are out of order, or one is there twice"])


def missing_names(rows: Iterable[Row], service: Path) -> list[str]:
    """What rows name and the service does not have; a row that names no test and no page is wrong too."""
    return [f"{row.number}: {problem}" for row in rows for problem in _missing(row, service)]


def _missing(row: Row, service: Path) -> Iterator[str]:
    if not row.tests and not row.pages:
        yield "names no test and no page"
    for file in row.files:
        if not (service / "app" / file).is_file():
            yield f"there is no app/{file}"
    for test in row.tests:
        file, _, name = test.partition("::")
        folder = service.parent if file.startswith("proofs/") else service / "tests"
        if name not in _tests_of(folder / file):
            yield f"there is no test {test}"
    for page in row.pages:
        file, _, anchor = page.partition("#")
        if anchor not in _headings_of(service / file):
            yield f"there is no page {page}"


@cache
def _tests_of(file: Path) -> frozenset[str]:
    """The tests of a file; none if it is not there."""
    if not file.is_file():
        return frozenset()
    found = ast.parse(file.read_text(encoding="utf-8")).body
    return frozenset(one.name for one in found if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def _headings_of(page: Path) -> frozenset[str]:
    """The anchors of a page, and an empty one for the page itself; none if it is not there."""
    if not page.is_file():
        return frozenset()
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset({"", *(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)})


Outcomes = Mapping[str, Counter[str]]
"""Test -> how often it passed, failed, was skipped, or could not run for lack of a server."""


def outcomes_in(*reports: Path) -> Outcomes:
    """What pytest's JUnit files say of each test, all its parametrisations together."""
    outcomes: dict[str, Counter[str]] = {}
    for case in (case for report in reports for case in ElementTree.parse(report).iter("testcase")):
        module, name = case.attrib["classname"], case.attrib["name"].partition("[")[0]
        module = module.removeprefix(f"{SERVICE}.").removeprefix("tests.")  # the first, if pytest began outside of it
        test = f"{module.replace('.', '/')}.py::{name}"
        outcomes.setdefault(test, Counter())[_outcome(case)] += 1
    return outcomes


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    if skipped is None:
        return "passed"
    return "without a server" if NO_SERVER.search(skipped.get("message", "")) else "skipped"


def not_kept(rows: Iterable[Row], outcomes: Outcomes, *, servers_are_required: bool) -> list[str]:
    """The rows that a run of their tests does not show to be true."""
    return [
        f"{row.number}: {test} {verdict}"
        for row in rows
        for test in row.tests
        if (verdict := _verdict(outcomes.get(test, Counter()), servers_are_required)) is not None
    ]


def _verdict(outcome: Counter[str], servers_are_required: bool) -> str | None:
    """What is wrong with the outcome of a test, if anything."""
    if outcome["failed"]:
        return "failed"
    if outcome["skipped"] or (outcome["without a server"] and servers_are_required):
        return "was skipped"
    return None if outcome["passed"] or outcome["without a server"] else "did not run"
