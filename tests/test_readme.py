"""The READMEs: each command is run by a test or by CI, each path that is named exists, each question is explained."""

import re
import subprocess
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE
from tests.support import questions, run

TEMPLATE, OWN = Path("README.md"), Path(SERVICE, "README.md")
# Where each command of a README is run as it stands.
RUN_BY = {
    TEMPLATE: {
        "make demo": "tests/test_demo.py",
        "make demo CHECK=1": ".ci/run",
        "make test": ".ci/run",
        "make new": "tests/test_readme.py",
        "cruft create <this repository>": "tests/test_update.py",
        "cruft check": "tests/test_update.py",
        "cruft update": "tests/test_update.py",
        "cruft link <this repository>": "tests/test_update.py",
    },
    OWN: {
        "make run": "scripts/demo.py",
        "make test": "tests/test_checks.py",
        "make check": "tests/test_checks.py",
    },
}


def commands(readme: Path) -> list[str]:
    """The lines of the fenced shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("readme", RUN_BY, ids=str)
def test_every_command_is_run_somewhere(readme: Path) -> None:
    assert sorted(commands(readme)) == sorted(RUN_BY[readme])
    for command, file in RUN_BY[readme].items():
        words = ", ".join(f'"{word}"' for word in command.split())
        text = (ROOT / file).read_text(encoding="utf-8")
        assert command in text or words in text


@pytest.mark.parametrize("readme", [TEMPLATE, OWN, Path("CONTRIBUTING.md")], ids=str)
def test_every_path_that_is_named_exists(readme: Path) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text) + re.findall(r"\]\(([\w./-]+)\)", text)
    scratch = {"build/"}
    here = (ROOT / readme).parent
    assert [path for path in named if not (here / path).exists() and path not in scratch] == []


def test_every_question_is_explained() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in questions() if not name.startswith("_") and f"`{name}`" not in text] == []


@pytest.mark.parametrize("folder", [ROOT, ROOT / SERVICE], ids=["template", "service"])
def test_make_alone_lists_its_words(folder: Path) -> None:
    listed = re.findall(r"^  make (\w+)", run("make", cwd=folder).stdout, re.MULTILINE)
    declared = re.findall(r"^\.PHONY: (.+)$", (folder / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == declared[0].split()


def make_new(into: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Answer the first question, and press Enter at the others."""
    answers, home = f"{name}\n" + "\n" * 7, str(into / "home")
    return run("make", "new", f"INTO={into}", cwd=ROOT, stdin=answers, HOME=home)


def test_new_asks_and_bakes(tmp_path: Path) -> None:
    asked = make_new(tmp_path, "Trattoria")

    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert "Trattoria is ready" in asked.stdout
    assert (tmp_path / "trattoria" / "pyproject.toml").exists()


def test_new_refuses_with_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    asked = make_new(tmp_path, "Tratt{oria")

    assert asked.returncode != 0
    assert "project_name 'Tratt{oria' holds {" in asked.stderr
    assert "Traceback" not in asked.stderr
    assert [path for path in tmp_path.iterdir() if path.name != "home"] == []
