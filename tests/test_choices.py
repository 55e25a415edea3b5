"""Every answer bakes, does what its question says, and leaves nothing of the answers not given."""

import re
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE, hook
from tests.support import Bake, BakedProject, questions

QUESTIONS = questions()
CHOICES = [(name, answer) for name, answers in QUESTIONS.items() if isinstance(answers, list) for answer in answers]
CHOICES = [(name, answer) for name, answer in CHOICES if not name.startswith("_")]
MANIFEST: dict[tuple[tuple[str, str], ...], tuple[str, ...]] = hook("post_gen_project")["MANIFEST"]
DEFAULTS = {name: answers[0] for name, answers in QUESTIONS.items() if isinstance(answers, list)}


@pytest.mark.parametrize(("question", "answer"), CHOICES)
def test_a_choice_bakes_without_leftovers(question: str, answer: str, bake: Bake) -> None:
    service = bake(**{question: answer})

    given = {*DEFAULTS.items(), (question, answer)} - ({(question, DEFAULTS[question])} - {(question, answer)})
    for needed_by, files in MANIFEST.items():
        if not given & {*needed_by}:
            assert [file for file in files if (service.path / file).exists()] == []
    assert {"pyproject.toml", "README.md", "Makefile", "LICENSE"} <= set(service.files())


def test_the_manifest_names_choices_and_files_that_exist() -> None:
    assert {answer for needed_by in MANIFEST for answer in needed_by} <= set(CHOICES)
    missing = [file for files in MANIFEST.values() for file in files if not (ROOT / SERVICE / file).exists()]
    assert missing == []


def test_without_the_sample_there_are_fewer_files_and_the_same_dependencies(bake: Bake) -> None:
    service, sample = bake(project_name="Plain", sample="none"), bake(project_name="Plain", sample="pizzeria")

    assert set(service.files()) < set(sample.files())
    assert service.project()["dependencies"] == sample.project()["dependencies"]


def test_the_sample_does_not_change_what_both_have(bake: Bake) -> None:
    service, sample = bake(project_name="Plain", sample="none").files(), bake(project_name="Plain").files()
    assert {name for name in service if service[name] != sample[name]} == {".env.example", "README.md"}


def test_the_manifest_deletes_files_folders_and_what_they_leave_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    post = hook("post_gen_project")
    for name in ("app/handlers/order/place.py", "app/handlers/user/create.py", "docs/orders.md", "README.md"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()

    for path in (Path("app/handlers/order/place.py"), Path("docs")):
        post["delete"](path)

    left = sorted(path.as_posix() for path in Path().rglob("*") if path.is_file())
    assert left == ["README.md", "app/handlers/user/create.py"]
    assert not Path("app/handlers/order").exists()


def test_a_file_stays_if_each_set_of_answers_that_it_needs_was_given_one() -> None:
    post = hook("post_gen_project")
    post["MANIFEST"].clear()
    post["MANIFEST"][("sample", "pizzeria"),] = ("orders.py",)
    post["MANIFEST"][("cache", "redis"), ("broker", "redis")] = ("redis.py", "both.py")
    post["MANIFEST"][("broker", "redis"), ("broker", "nats")] = ("both.py",)

    def unwanted(sample: str, broker: str, cache: str) -> set[str]:
        return {path.name for path in post["unwanted"]({"sample": sample, "broker": broker, "cache": cache})}

    assert unwanted("pizzeria", "redis", "memory") == set()
    assert unwanted("none", "none", "memory") == {"orders.py", "redis.py", "both.py"}
    assert unwanted("none", "none", "redis") == {"orders.py", "both.py"}
    assert unwanted("pizzeria", "nats", "memory") == {"redis.py", "both.py"}


def test_the_hook_and_the_questions_offer_the_same_choices() -> None:
    offered = hook("pre_gen_project")["CHOICES"]
    assert {(name, answer) for name, answers in offered.items() for answer in answers} == set(CHOICES)


def test_every_question_is_put_in_plain_words() -> None:
    asked = [name for name in QUESTIONS if not name.startswith("_")]
    assert sorted(QUESTIONS["__prompts__"]) == sorted(asked)


def test_no_project_may_take_the_name_of_a_package_it_installs() -> None:
    pins = (ROOT / SERVICE / "constraints.txt").read_text(encoding="utf-8")
    installed = set(re.findall(r"^([a-z0-9-]+)==", pins, re.MULTILINE))
    assert set(hook("pre_gen_project")["INSTALLED"].split()) == installed


def test_the_slug_follows_from_the_name(bake: Bake) -> None:
    service = bake(project_name="Mario's Pizza & Pasta")
    assert service.path.name == service.project()["name"] == "marios_pizza_pasta"


@pytest.mark.parametrize(
    ("answer", "words", "expression"),
    [
        ("MIT", "Permission is hereby granted, free of charge", "MIT"),
        ("Apache-2.0", "Apache License", "Apache-2.0"),
        ("BSD-3-Clause", "Redistribution and use in source and binary forms", "BSD-3-Clause"),
        ("Proprietary", "All rights reserved", "LicenseRef-Proprietary"),
    ],
)
def test_the_licence_is_the_one_chosen(answer: str, words: str, expression: str, bake: Bake) -> None:
    service = bake(license=answer, author_name="Mario Rossi")

    assert words in service.text("LICENSE")
    assert service.text("LICENSE").endswith("\n")
    assert not service.text("LICENSE").endswith("\n\n")
    assert service.project()["license"] == expression
    assert answer == "Apache-2.0" or "Copyright (c) Mario Rossi" in service.text("LICENSE")


def test_the_python_version_is_the_oldest_allowed(bake: Bake) -> None:
    service = bake(python_version="3.13")

    assert service.project()["requires-python"] == ">=3.13"
    assert "OLDEST_PYTHON := 3.13\n" in service.text("Makefile")


def test_an_older_python_is_refused_with_a_sentence(bake: Bake) -> None:
    service = bake()
    makefile = service.path / "Makefile"
    makefile.write_text(service.text("Makefile").replace("OLDEST_PYTHON := 3.11", "OLDEST_PYTHON := 4.0"))

    answer = service.make("install")

    assert answer.returncode != 0
    assert "the service needs 4.0 or newer" in answer.stderr
    assert not (service.path / ".venv").exists()


def test_the_service_is_a_git_repository_of_its_own(default: BakedProject) -> None:
    assert (default.path / ".git" / "HEAD").read_text().strip() == "ref: refs/heads/main"
