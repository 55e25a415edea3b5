"""What rendering leaves alone, what it fills in, and what it costs."""

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from scripts.bake import ROOT, SERVICE, template_files
from tests.support import MOST, Bake, BakedProject, questions, run

TEMPLATE_FILES = [file.relative_to(SERVICE) for file in template_files() if file.parts[0] == SERVICE]
COPIED = {".py", ".mako"}
SECONDS_TO_RENDER = 1.0

NO_NETWORK = """
import socket

def refuse(*args, **kwargs):
    raise AssertionError("rendering used the network")

socket.getaddrinfo = socket.create_connection = socket.socket.connect = socket.socket.connect_ex = refuse
"""


def test_every_python_file_is_the_templates_byte_for_byte(bake: Bake) -> None:
    rendered = {name: contents for name, contents in bake(**MOST).files().items() if name.endswith(".py")}
    kept = {file.as_posix(): (ROOT / SERVICE / file).read_bytes() for file in TEMPLATE_FILES if file.suffix == ".py"}
    assert rendered.items() <= kept.items()
    assert len(rendered) > 500


def test_every_file_of_the_template_is_baked_with_some_answers(bake: Bake) -> None:
    brokers = questions()["broker"]
    given = [{"broker": broker} for broker in brokers] + [{"ci": "gitlab"}]
    baked = {name for answers in given for name in bake(**MOST | answers).files()}
    made = {"tests/engine.sha256"}
    assert baked - made == {file.as_posix() for file in TEMPLATE_FILES}


def test_no_python_file_holds_jinja() -> None:
    files = [file for file in TEMPLATE_FILES if file.suffix == ".py"]
    texts = {file: (ROOT / SERVICE / file).read_text(encoding="utf-8") for file in files}
    assert [file for file, text in texts.items() if "{%" in text or "cookiecutter" in text] == []


def test_no_jinja_is_left(default: BakedProject) -> None:
    copied = {name for name in default.files() if Path(name).suffix in COPIED or name.startswith(".github/workflows/")}
    texts = {name: default.text(name) for name in default.files() if name not in copied}
    left = [name for name, text in texts.items() if any(mark in text for mark in ("{{", "{%", "{#", "#%"))]
    assert left == []
    assert [name for name, text in texts.items() if "cookiecutter." in text] == []


def glued_in(page: str) -> list[str]:
    """Lines that stand directly below another block, so that Markdown takes them for a part of it.

    These are headings, code blocks and tables below anything, and anything else below a table. Jinja's line statements
    take the blank lines that follow them, so a page that looks right in the template can be wrong in the service.
    """
    found, above, in_code = [], "", False
    for line in page.splitlines():
        fence, row = line.startswith("```"), line.startswith("|")
        begins = not in_code and (fence or line.startswith("#") or (row and not above.startswith("|")))
        ends_table = not in_code and line and above.startswith("|") and not row
        if ends_table or (begins and above):
            found.append(line)
        in_code, above = in_code != fence, line.strip()
    return found


@pytest.mark.parametrize(
    "answers",
    [{}, MOST, {"sample": "none", "deployment": "none"}, {"broker": "nats", "deployment": "kubernetes"}],
    ids=["default", "most", "smallest", "no-cache"],
)
def test_blocks_of_its_pages_are_apart(answers: dict[str, str], bake: Bake) -> None:
    service = bake(**answers)
    pages = {name: glued_in(service.text(name)) for name in service.files() if name.endswith(".md")}
    assert {name: glued for name, glued in pages.items() if glued} == {}


def test_blocks_that_are_glued_together_are_found() -> None:
    page = "# A\n\n| b |\n|---|\n# C\nd\n```sh\n# e\n\n| f |\n```\n\nG\n| h |\n"
    assert glued_in(page) == ["# C", "```sh", "| h |"]


def test_same_answers_same_bytes(bake: Bake) -> None:
    answers = {"project_name": "Ünïcode", "license": "Apache-2.0", "sample": "none"}
    assert bake(**answers).files() == bake(**answers).files()


def test_the_answers_are_filled_in(bake: Bake) -> None:
    service = bake(
        project_name="Luigi's",
        description="Bakes & delivers; 100% on time.",
        author_name="Luigi O'Neil",
        author_email="luigi@example.com",
    )

    assert service.project()["description"] == "Bakes & delivers; 100% on time."
    assert service.project()["authors"] == [{"name": "Luigi O'Neil", "email": "luigi@example.com"}]
    assert service.text("README.md").startswith("# Luigi's\n")


@pytest.mark.parametrize("suffix", [".toml", ".yaml", ".yml"])
def test_data_files_parse_before_and_after_rendering(suffix: str, bake: Bake) -> None:
    most, gitlab = bake(**MOST), bake(ci="gitlab")
    parse: Callable[[str], object] = tomllib.loads if suffix == ".toml" else lambda it: [*yaml.safe_load_all(it)]
    files = [file for file in TEMPLATE_FILES if file.suffix == suffix]
    for file in files:
        assert parse((ROOT / SERVICE / file).read_text(encoding="utf-8"))
        assert parse((gitlab if "gitlab" in file.name else most).text(file.as_posix()))


def test_rendering_is_quick(bake: Bake) -> None:
    """By what it takes of a processor, also in processes of its own: others may use this machine too."""
    seconds = []
    for _ in range(3):
        start = os.times()
        bake()
        seconds.append(sum(os.times()[:4]) - sum(start[:4]))
    assert 0 < min(seconds) <= SECONDS_TO_RENDER


def test_rendering_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    probe = run(
        sys.executable, "-c", "import socket; socket.create_connection(('localhost', 9))",
        cwd=tmp_path, PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert "rendering used the network" in probe.stderr

    words = ["-m", "scripts.bake", "--defaults", "--into", str(tmp_path / "out")]
    baked = run(sys.executable, *words, cwd=ROOT, PYTHONPATH=str(tmp_path))

    assert baked.returncode == 0, baked.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_question_without_an_answer_bakes_nothing_and_is_told_in_a_sentence(tmp_path: Path) -> None:
    asked = run(sys.executable, "-m", "scripts.bake", "--into", str(tmp_path), cwd=ROOT, stdin="\n")
    assert asked.returncode == 1
    assert asked.stderr.splitlines() == [
        "Nothing was baked: a question got no answer. `cookiecutter --no-input` takes the defaults."
    ]
    assert not [*tmp_path.iterdir()]
