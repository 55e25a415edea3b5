"""A bad answer is refused with a sentence and leaves nothing behind; an odd but harmless one bakes a sound project."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.exceptions import CookiecutterException
from jinja2 import TemplateError

from scripts.bake import bake_from
from tests.support import Bake

# Question and sentence -> the answers that are refused with it.
HOOK_REFUSES = {
    ("project_slug", "plain lower-case name"): [
        "",
        "Pizza",
        "1pizza",
        "pizza service",
        "pizza--service",
        "pizza_",
        "_pizza",
        "-rf",
        "пицца",
        "ﬁsh",
        "pizza\n",
        "pizza\x00",
        "\ud800",
        "$(rm -rf x)",
        "`id`",
        "a;id",
        "{{ 7 * 7 }}",
        ".",
        "..",
        "../outside",
        "a/b/c",
        "a\\b",
        "~",
    ],
    ("project_slug", "too long"): ["x" * 41, "x" * 5000],
    ("project_slug", "Windows"): ["con", "lpt1"],
    ("project_slug", "itself installs"): ["fastapi", "typing_extensions"],
    ("project_name", "empty"): ["", "   "],
    ("project_name", "space"): [" Pizza"],
    ("project_name", "too long"): ["x" * 61],
    ("project_name", "invisible"): ["a\nb", "a\r\nb", "a\x00b", "\x1b[31mred", "\u202egnihtemos", "a\u2028b", "\ud800"],
    ("project_name", "leave it out"): [
        'Bob"s',
        '"""',
        'x""" + open("y").read() + r"""',
        'x\\""", import os',
        "ends with \\",
        "`id`",
        "$(rm -rf x)",
        "${HOME}",
        "<script>alert(1)</script>",
        "{{ '{{' }} 7 {{ '}}' }}",
        "{% raw %}{% x %}{% endraw %}",
    ],
    ("description", "invisible"): ['x"\nversion = "6'],
    ("description", "too long"): ["x" * 201],
    ("author_name", "leave it out"): ['Bob" }, { name = "Eve'],
    ("author_email", "e-mail"): ["not an address", "a@b", "a@b.example\n", '"a"@b.example', "a@b.example, c@d.example"],
}

COOKIECUTTER_REFUSES = [
    ("license", "GPL", "GPL provided for choice variable"),
    ("python_version", "2.7", "2.7 provided for choice variable"),
    ("sample", "../..", "provided for choice variable"),
    ("project_name", "{{", "unexpected"),
    ("project_name", "{% if %}", "Expected an expression"),
    ("project_name", "{{ nobody_knows }}", "nobody_knows"),
]

ACCEPTED = [
    ("project_name", "Mario's Pizzeria"),
    ("project_name", "Ünïcode Öl & Söhne (2) #1"),
    ("project_name", "日本のピザ"),
    ("project_name", "; rm -rf x; #"),
    ("project_name", "{{ 7 * 7 }}"),
    ("project_name", "# --- = : [x](y) | * _ ~ ^ ! ? @ , ."),
    ("description", "'''"),
    ("description", "100% 'quoted', #hashed, key = value; [table]"),
    ("author_name", "Siobhán O'Neil-Łódź 🍕"),
    ("author_email", "first.last+tag@mail.example.co.uk"),
    ("project_slug", "pizza-service_2"),
    ("project_slug", "x" * 40),
]


def shown(value: object) -> str:
    return ascii(value)[:40]


def everything_under(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [(question, answer, sentence) for (question, sentence), answers in HOOK_REFUSES.items() for answer in answers],
    ids=shown,
)
def test_the_hook_refuses(
    question: str, answer: str, sentence: str, template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "deep" / "out"
    into.mkdir(parents=True)

    with pytest.raises(CookiecutterException):
        bake_from(template, into, **{question: answer})

    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith(f"{question} ")]
    assert len(said) == 1
    assert sentence in said[0]
    assert len(said[0]) < 300
    assert everything_under(tmp_path) == [tmp_path / "deep", into]


def test_an_absolute_slug_is_refused(template: Path, tmp_path: Path) -> None:
    with pytest.raises(CookiecutterException):
        bake_from(template, tmp_path, project_slug=str(tmp_path / "a" / "b"))
    assert everything_under(tmp_path) == []


@pytest.mark.parametrize(("question", "answer", "sentence"), COOKIECUTTER_REFUSES, ids=shown)
def test_cookiecutter_refuses(question: str, answer: str, sentence: str, template: Path, tmp_path: Path) -> None:
    with pytest.raises((CookiecutterException, TemplateError, ValueError)) as refusal:
        bake_from(template, tmp_path, **{question: answer})

    assert sentence in str(refusal.value)
    assert everything_under(tmp_path) == []


def test_every_bad_answer_gets_its_own_sentence(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad: dict[str, Any] = {"project_slug": "..", "author_email": "nobody", "description": "{"}
    with pytest.raises(CookiecutterException):
        bake_from(template, tmp_path, **bad)

    said = capfd.readouterr().err
    assert all(f"\n{question} " in f"\n{said}" for question in bad)


@pytest.mark.parametrize(("question", "answer"), ACCEPTED, ids=shown)
def test_odd_but_harmless_answers_bake_a_sound_project(question: str, answer: str, bake: Bake) -> None:
    service = bake(**{"project_slug": "sound", question: answer})

    for name, contents in service.files().items():
        if name.endswith(".py"):
            compile(contents, name, "exec")
        if name.endswith(".toml"):
            tomllib.loads(contents.decode())
    dry_run = service.make("--dry-run", "run", "test", "check", "install")
    assert dry_run.returncode == 0, dry_run.stderr
    assert "{{" not in service.text("README.md")
