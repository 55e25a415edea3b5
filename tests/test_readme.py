"""The READMEs: each command is run by a test or by CI, each path that is named exists, each question is explained."""

import re
import subprocess
from pathlib import Path

import pytest

from scripts import picture
from scripts.bake import ROOT, SERVICE
from tests.support import questions, run

TEMPLATE, OWN = Path("README.md"), Path(SERVICE, "README.md")
DOCS = [Path(SERVICE, "docs", file.name) for file in sorted((ROOT / SERVICE / "docs").glob("*.md"))]
DECISIONS = [file.relative_to(ROOT) for file in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
# Where each command of a README is run as it stands.
RUN_BY = {
    TEMPLATE: {
        "make demo": "tests/test_demo.py",
        "make demo CHECK=1": ".ci/run",
        "make test": ".ci/run",
        "cookiecutter <this repository>": "tests/repositories.py",
        "make new": "tests/test_readme.py",
        "make update": "tests/test_drill.py",
        "make choose BROKER=nats": "tests/test_drill.py",
        "make update IN=<the service>": "tests/test_drill.py",
        "cruft link <this repository> --checkout <the commit of the release>": "tests/test_drill.py",
    },
    OWN: {
        "make run": "scripts/demo.py",
        "make test": "tests/test_checks.py",
        "make check": "tests/test_grown.py",
    },
}
# The same for the pages of the service. All other `.venv/bin/app` of the guide are run by its own test.
RUN_BY_DOCS = {
    "make test": "tests/test_checks.py",
    ".venv/bin/app openapi": "proofs/outside/test_client.py",
    ".venv/bin/app worker": f"{SERVICE}/tests/cli/test_worker.py",
}
MADE_LATER = {"build/", "app/handlers/ticket", "tests/engine.sha256"}  # by the reader, or by the hook
EXAMPLES = {"../a/b", "10.0.0.0/8"}


def commands(readme: Path) -> list[str]:
    """The lines of the fenced shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def is_run_by(command: str, file: str | Path) -> bool:
    """Whether a file has a command as it stands, or its words as the arguments of a process."""
    words = ", ".join(f'"{word}"' for word in command.removeprefix(".venv/bin/").split())
    text = (ROOT / file).read_text(encoding="utf-8")
    return command in text or words in text


def test_the_handler_in_the_readme_is_the_one_of_the_sample() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / TEMPLATE).read_text(encoding="utf-8"), re.DOTALL)
    assert shown in (ROOT / SERVICE / "app/handlers/order/cancel_order_handler.py").read_text(encoding="utf-8")


def test_the_picture_of_the_pipeline_is_the_order_in_the_code() -> None:
    assert picture.drawn() == picture.PICTURE.read_text(encoding="utf-8"), "python -m scripts.picture draws it anew"


@pytest.mark.parametrize("readme", RUN_BY, ids=str)
def test_every_command_is_run_somewhere(readme: Path) -> None:
    assert sorted(commands(readme)) == sorted(RUN_BY[readme])
    assert [command for command, file in RUN_BY[readme].items() if not is_run_by(command, file)] == []


def test_every_command_of_the_docs_is_run_somewhere() -> None:
    guide = (ROOT / "tests" / "guide.py").read_text(encoding="utf-8")
    pages = re.search(r"^PAGES = \((.+?)\)$", guide, re.MULTILINE | re.DOTALL)
    assert pages is not None
    found = {(page, command) for page in DOCS for command in commands(page)}
    left = {one for one in found if f'"{one[0].stem}"' not in pages[1] or not one[1].startswith(".venv/bin/app ")}
    assert {command for _, command in left} <= set(RUN_BY_DOCS) <= {command for _, command in found}
    assert [command for command, file in RUN_BY_DOCS.items() if not is_run_by(command, file)] == []


@pytest.mark.parametrize("readme", [TEMPLATE, OWN, Path("CONTRIBUTING.md"), *DOCS, *DECISIONS], ids=str)
def test_every_path_that_is_named_exists(readme: Path) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    here = (ROOT / readme).parent
    linked = [here / path for path in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text)]
    bases = [ROOT, ROOT / SERVICE] if readme in DECISIONS else [ROOT / SERVICE if readme in DOCS else here]
    named = [path for path in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text) if path not in MADE_LATER | EXAMPLES]
    missing = [path for path in named if not any((base / path).exists() for base in bases)]
    assert missing + [path for path in linked if not path.exists()] == []


@pytest.mark.parametrize("page", [OWN, *DOCS], ids=str)
def test_every_heading_that_is_linked_exists(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    targets = [(ROOT / page).parent / file if file else ROOT / page for file, _ in links]
    headings = [re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) for target in targets]
    anchors = [{re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in found} for found in headings]
    assert [link for link, known in zip(links, anchors, strict=True) if link[1] not in known] == []


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
    answers, home = f"{name}\n" + "\n" * 12, str(into / "home")
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


@pytest.mark.parametrize(("folder", "word"), [(".", "demo"), (SERVICE, "run"), (SERVICE, "dev")])
def test_a_port_may_stand_before_the_word_too(folder: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8001")
    assert "--port 8001" in run("make", "--dry-run", word, cwd=ROOT / folder).stdout
