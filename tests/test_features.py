"""docs/features.md is true: each row names tests and pages that exist. That they pass is shown in test_grown.py."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE
from tests.features import Outcomes, all_rows, missing_names, not_kept, outcomes_in, rows_in, wrong_numbers
from tests.support import run

ROWS = all_rows()
LAST = 195


def test_each_row_is_there_once_and_names_only_what_exists() -> None:
    assert wrong_numbers(ROWS, LAST) == []
    assert missing_names(ROWS, ROOT / SERVICE) == []


# The checks themselves, on a small service that this file writes.

SMALL = "| 1 | It sings | `song.py` | `test_song.py::test_it_sings`<br>`docs/songs.md#high-notes` |\n"
OWN_TESTS = """
import pytest

def test_it_sings():
    pass

@pytest.mark.parametrize("note", [1, 2])
def test_notes(note):
    assert note < NOTES

NOTES = 3
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A service with a file, a test file and a page."""
    files = {"app/song.py": "", "tests/test_song.py": OWN_TESTS, "docs/songs.md": "# Songs\n\n## High notes!\n"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("", "", None),
        ("song.py`", "sing.py`", "1: there is no app/sing.py"),
        ("test_it_sings", "test_it_sang", "1: there is no test test_song.py::test_it_sang"),
        ("test_song.py", "test_sing.py", "1: there is no test test_sing.py::test_it_sings"),
        ("#high-notes", "#low-notes", "1: there is no page docs/songs.md#low-notes"),
        ("songs.md#high-notes", "sings.md", "1: there is no page docs/sings.md"),
        ("`test_song.py::test_it_sings`<br>`docs/songs.md#high-notes`", "by luck", "1: names no test and no page"),
    ],
)
def test_what_does_not_exist_is_named(small: Path, before: str, after: str, problem: str | None) -> None:
    rows = rows_in(SMALL.replace(before, after, 1) if before else SMALL)
    assert missing_names(rows, small) == ([] if problem is None else [problem])


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [("123", 0), ("13", 1), ("12", 1), ("1233", 1), ("132", 1), ("1234", 0)],
)
def test_numbers_that_are_missing_or_there_twice_are_named(numbers: str, wrong: int) -> None:
    rows = rows_in("".join(SMALL.replace("1", number, 1) for number in numbers))
    assert len(wrong_numbers(rows, 3)) == wrong


# What is changed in the tests of the small service -> what is said of them.
CHANGES: dict[tuple[str, str], str | None] = {
    ("", ""): None,
    ("def test_it_sings", "def test_it_sang"): "test_it_sings did not run",
    ("def test_it_sings", "@pytest.mark.skip\ndef test_it_sings"): "test_it_sings was skipped",
    ("    pass", "    pytest.skip('Not today.')"): "test_it_sings was skipped",
    ("    pass", "    pytest.xfail('It is hoarse.')"): "test_it_sings was skipped",
    ("def test_it_sings", "@pytest.mark.xfail(strict=True)\ndef test_it_sings"): "test_it_sings failed",
    ("    pass", "    assert False"): "test_it_sings failed",
    ("def test_it_sings()", "def test_it_sings(voice)"): "test_it_sings failed",
    ("    pass", "    pytest.skip('The choir does not answer.')"): None,
    ("NOTES = 3", "NOTES = 2"): "test_notes failed",
    ("[1, 2]", "[1, pytest.param(2, marks=pytest.mark.skip)]"): "test_notes was skipped",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What pytest says of the tests of the small service, changed in each of these ways."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "tests").mkdir()
    for number, (before, after) in enumerate(CHANGES):
        changed = OWN_TESTS.replace(before, after, 1) if before else OWN_TESTS
        (folder / "tests" / f"test_song{number}.py").write_text(changed)
    run(sys.executable, "-m", "pytest", f"--junitxml={folder / 'report.xml'}", "tests", cwd=folder)
    return outcomes_in(folder / "report.xml")


def test_a_test_has_one_name_wherever_pytest_began(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    cases = (
        f'<testcase classname="{before}tests.api.test_song" name="test_it_sings[a]"/>' for before in ("", f"{SERVICE}.")
    )
    report.write_text(f"<testsuite>{''.join(cases)}</testsuite>")
    assert outcomes_in(report) == {"api/test_song.py::test_it_sings": Counter({"passed": 2})}


@pytest.mark.parametrize(("number", "verdict"), [*enumerate(CHANGES.values())])
def test_a_row_whose_test_does_not_pass_is_named(outcomes: Outcomes, number: int, verdict: str | None) -> None:
    file = f"test_song{number}.py"
    (row,) = rows_in(f"| 1 | It sings |  | `{file}::test_it_sings`<br>`{file}::test_notes` |")
    found = not_kept([row], outcomes, servers_are_required=False)
    assert found == ([] if verdict is None else [f"1: {file}::{verdict}"])


@pytest.mark.parametrize(
    ("required", "verdicts"), [(False, []), (True, ["1: test_song.py::test_it_sings was skipped"])]
)
def test_where_servers_are_required_none_may_be_missing(required: bool, verdicts: list[str]) -> None:
    outcomes = {"test_song.py::test_it_sings": Counter({"passed": 1, "without a server": 1})}
    assert not_kept(rows_in(SMALL), outcomes, servers_are_required=required) == verdicts
