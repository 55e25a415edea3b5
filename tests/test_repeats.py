"""No six lines stand twice, to the letter, in the code or its tests; imports and lone brackets do not count."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.bake import ROOT, SERVICE

RUN = 6
FOLDERS = (f"{SERVICE}/app", f"{SERVICE}/tests", "proofs", "tests", "scripts", "hooks")
MIGRATIONS = f"{SERVICE}/app/migrations"
"""They share nothing, because each stays as it was when it was applied."""


def code_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines that count, with their numbers."""
    imports = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom))
    passed_over = {number for node in imports for number in range(node.lineno, (node.end_lineno or 0) + 1)}
    for number, line in enumerate(text.splitlines(), 1):
        code = line.strip()
        if number not in passed_over and not code.startswith("#") and any(map(str.isalnum, code)):
            yield number, code


def repeats(files: Iterable[Path]) -> list[list[str]]:
    """For each run of lines that stands more than once, the places where it begins."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for file in files:
        lines = [*code_of(file.read_text())]
        for at in range(len(lines) - RUN + 1):
            run = tuple(code for _, code in lines[at : at + RUN])
            places[run].append(f"{file}:{lines[at][0]}")
    return [found for found in places.values() if len(found) > 1]


def test_no_six_lines_stand_twice() -> None:
    files = {file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")}
    files -= {*(ROOT / MIGRATIONS).rglob("*.py")}
    assert repeats(sorted(files)) == []


def test_six_lines_that_stand_twice_are_found(tmp_path: Path) -> None:
    code = "\n\n".join(f"x{number} = {number}" for number in range(RUN))
    files = [tmp_path / "one.py", tmp_path / "other.py"]
    for file in files:
        file.write_text(f"from {file.stem} import (\n    a,\n)\n\n# {file.stem}\n{code}\n")
    assert [*repeats(files)] == [[f"{file}:6" for file in files]]
    files[1].write_text(code.replace("x5", "x6"))
    assert repeats(sorted(files)) == []
