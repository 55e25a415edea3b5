"""What must not stand in any file of this repository."""

import os
import re
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE, template_files
from tests.support import run

# In parts, so that this file names none of them.
REGISTRY_HOSTS = ("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com")
HOME_FOLDERS = re.compile("/(home|Users|root)" + r"/\w")
LOCK_FILES = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "package-lock.json", "yarn.lock"}

FILES = template_files()


def text_of(file: Path) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def files_with(words: tuple[str, ...]) -> list[str]:
    return [str(file) for file in FILES if any(word in text_of(file) for word in words)]


def test_no_file_names_a_package_registry() -> None:
    assert files_with(REGISTRY_HOSTS) == []
    assert files_with(("--index" + "-url ", "--extra-index" + "-url", "find" + "-links")) == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    assert files_with((f"{ROOT}/",)) == []
    assert [str(file) for file in FILES if HOME_FOLDERS.search(text_of(file))] == []


@pytest.mark.skipif(
    os.environ.get("REQUIRE_SERVICES") != "1", reason="Whoever works there may keep files of their own."
)
def test_what_ran_in_place_has_left_nothing_that_a_bake_would_copy() -> None:
    said = run("git", "status", "--ignored", "--porcelain", "--", SERVICE, cwd=ROOT).stdout
    assert [line for line in said.splitlines() if line.startswith("!!")] == []


def test_no_lock_file() -> None:
    assert [str(file) for file in FILES if file.name in LOCK_FILES] == []


@pytest.mark.parametrize("file", [file for file in FILES if file.name == "constraints.txt"], ids=str)
def test_pins_are_names_and_exact_versions_only(file: Path) -> None:
    pin = re.compile(r"[a-z0-9-]+==[\w.]+( ; [\w '\".<>=!]+)?")
    assert [line for line in text_of(file).splitlines() if not pin.fullmatch(line)] == []


def test_every_decision_says_what_got_easier_and_what_got_harder() -> None:
    records = [file for file in FILES if file.parts[:2] == ("docs", "decisions")]
    assert records != []
    for record in records:
        headings = re.findall(r"^## (.+)$", text_of(record), re.MULTILINE)
        assert headings == ["Context", "Decision", "What gets easier", "What gets harder"], record
