"""`make house` counts what it says it counts, and a service has no circles."""

import re
from pathlib import Path

import pytest

from scripts.bake import ROOT
from scripts.house import PACKAGES, Shape, read, shape_of
from tests.support import run

SOURCE = '''"""A module."""

import os
from pathlib import (
    Path,
)

# A comment.


def long(
    path: Path,
) -> str:
    """A docstring
    of two lines."""
    return f"""
{os.sep}{path}
"""
'''


def test_code_is_what_is_neither_blank_nor_comment_nor_text_nor_import(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(SOURCE)
    source = read(file)
    assert (source.lines, source.code, source.functions) == (18, 6, ((8, "long"),))


class Graph:
    """Modules, and what each imports."""

    def __init__(self, **imports: str) -> None:
        self._imports = {f"app.{name}": {f"app.{one}" for one in said.split()} for name, said in imports.items()}
        self.modules = {"app", *self._imports}

    def find_modules_directly_imported_by(self, module: str) -> set[str]:
        """What it imports."""
        return self._imports.get(module, set())


@pytest.mark.parametrize(
    ("imports", "shape"),
    [
        ({"a": "b c", "b": "c", "c": ""}, Shape(3, 3, 3, [])),
        ({"a": "b", "b": "a", "c": "a"}, Shape(3, 2, 3, [["a", "b"]])),
        ({"a": "b", "b": "c", "c": "a"}, Shape(3, 1, 3, [["a", "b", "c"]])),
        ({"a": "", "b": ""}, Shape(2, 1, 0, [])),
    ],
)
def test_levels_are_the_longest_chain_and_a_circle_is_one(imports: dict[str, str], shape: Shape) -> None:
    assert shape_of(Graph(**imports), "app") == shape  # type: ignore[arg-type]


def test_the_packages_of_a_service_make_no_circle() -> None:
    lines = [line.split() for line in run("make", "house", cwd=ROOT).stdout.splitlines()]
    assert "app/composition" in [line[0] for line in lines if line]
    circles = {line[0]: line[4:] for line in lines if len(line) > 4 and line[0] in PACKAGES}
    assert circles == {package: ["none"] for package in PACKAGES}


def test_it_is_told_of_the_folder_that_is_given(tmp_path: Path) -> None:
    for package in ("app", "app/core", "app/core/cqrs", "app/core/cqrs/testing", "tests"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("ONE = 1\n")
    printed = run("make", "house", f"ARGS={tmp_path}", cwd=ROOT).stdout
    assert re.search(r"^app +4 +4 +4 ", printed, re.MULTILINE), printed
