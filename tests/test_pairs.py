"""What was not chosen is not there: for each pair of answers to four questions, a service has no word of the rest.

`make pairs` runs the `make check` of each of these services, too.
"""

import ast
import re
import shutil
from itertools import combinations, product
from pathlib import Path

import pytest

from tests.support import Bake, BakedProject, questions

ASKED = ("broker", "sample", "cache", "telemetry")
PAIRS = (
    ("none", "none", "memory", "metrics"),
    ("none", "pizzeria", "redis", "full"),
    ("nats", "pizzeria", "redis", "metrics"),
    ("nats", "none", "memory", "full"),
    ("rabbitmq", "pizzeria", "memory", "full"),
    ("rabbitmq", "none", "redis", "metrics"),
    ("kafka", "pizzeria", "redis", "full"),
    ("kafka", "none", "memory", "metrics"),
    ("redis", "pizzeria", "memory", "metrics"),
    ("redis", "none", "redis", "full"),
)
"""Answers to these questions, so that each two answers to two of them are given together."""
SMALLEST = PAIRS[0]

Answer = tuple[str, str]
NATS, RABBITMQ, KAFKA, REDIS = (("broker", answer) for answer in ("nats", "rabbitmq", "kafka", "redis"))
CACHE_IN_REDIS = ("cache", "redis")
COMPOSE, KUBERNETES = ("deployment", "compose"), ("deployment", "kubernetes")
WORDS: dict[tuple[Answer, ...], str] = {
    (("sample", "pizzeria"),): (
        "(pizz|mario|margherita|pepperoni|topping|kitchen|menu|loyalty|payment|tok_|staff"
        "|order_?(id|placed|line|table|event|setting|provider|repositor|handler)|handlers[./]order)"
    ),
    (NATS,): "nats(?![a-z])|jetstream",
    (RABBITMQ,): "rabbit|amqp|aio_?pika|pamqp|erlang",
    (KAFKA,): "kafka|aiokafka",
    (NATS, RABBITMQ, KAFKA, REDIS): "faststream|cloud_events|broker",
    (REDIS,): "redis streams|broker_redis|xadd",
    (CACHE_IN_REDIS,): "cache_redis|throttle_redis|redis_client|cache_prefix|shared_cache\\.md|docs/shared_cache",
    (CACHE_IN_REDIS, REDIS): "redis(?!cover|tribut|play)",
    (("ci", "github"),): "(github|dependabot)",
    (("ci", "gitlab"),): "gitlab",
    (("telemetry", "full"),): (
        "sentry|opentelemetry|otlp|otel|traces_(url|ratio)|error_?reports_?(url|http)|traces_http|sql_spans"
    ),
    (COMPOSE, KUBERNETES): "docker|compose\\.yaml",
    (KUBERNETES,): "kube|kustomiz|deploy/|pods?(?![a-z])",
}
"""Answers -> words, at the beginning of a word, that a service only has if one of these answers was given."""
EXCEPTIONS: dict[str, str] = {
    "constraints.txt": ".*",  # exact versions of all that can be chosen: they install nothing
    "app/core/parts.py": "_URL|a broker",  # refuses settings of parts that are not there, by their names
    # A broker may have been given up while events waited for it, or while others still send what a handler waits for.
    **dict.fromkeys(
        (
            "app/cli/outbox.py",
            "app/composition/delivery.py",
            "app/persistence/events/outbox_statements.py",
            "docs/observing.md",
            "tests/cli/test_outbox.py",
            "tests/composition/test_delivery.py",
        ),
        "(?i)broker",
    ),
    "tests/core/test_parts.py": "_URL|broker",
    ".github/workflows/ci.yml": "docker run",  # starts NATS for the tests
}
"""File -> lines that are left out, with the reason."""


TURNS = {"deployment": ("none", "compose", "kubernetes"), "ci": ("none", "github", "gitlab", "github")}
"""Given in turn: they bring no code, so it is enough that each is given with some of the rest."""


def answers_of(pair: tuple[str, ...]) -> dict[str, str]:
    place = PAIRS.index(pair)
    in_turn = {question: answers[place % len(answers)] for question, answers in TURNS.items()}
    return dict(zip(ASKED, pair, strict=True)) | in_turn


def test_each_two_answers_are_given_together() -> None:
    offered = {question: questions()[question] for question in ASKED}
    wanted = {
        frozenset(pair)
        for one, other in combinations(ASKED, 2)
        for pair in product(((one, answer) for answer in offered[one]), ((other, answer) for answer in offered[other]))
    }
    given = {frozenset(two) for pair in PAIRS for two in combinations(zip(ASKED, pair, strict=True), 2)}
    assert given == wanted


def left_in(service: BakedProject, answers: dict[str, str]) -> list[str]:
    """The lines that hold a word of what was not chosen."""
    forbidden = [words for needed_by, words in WORDS.items() if not {*answers.items()} & {*needed_by}]
    if not forbidden:
        return []
    word = re.compile(f"(?<![a-z])({'|'.join(forbidden)})", re.IGNORECASE)
    return [
        f"{name}: {line}"
        for name in service.files()
        for line in (name, *service.text(name).splitlines())
        if word.search(line) and not (name in EXCEPTIONS and re.search(EXCEPTIONS[name], line))
    ]


def missing_in(service: BakedProject) -> list[str]:
    """The imports, and the links between pages, that lead to a file which is not there."""
    names = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in service.files()}
    packages = {name.rpartition(".")[0] for name in names}
    imported = [
        (name, found)
        for name in service.files()
        if name.endswith(".py")
        for node in ast.walk(ast.parse(service.text(name)))
        for found in modules_of(node)
    ]
    links = [
        (name, (Path(name).parent / link).as_posix())
        for name in service.files()
        if name.endswith(".md")
        for link in re.findall(r"\]\(([\w./-]+\.md)", service.text(name))
    ]
    return [
        *(f"{name}: {module}" for name, module in imported if module not in names | packages),
        *(f"{name}: {link}" for name, link in links if not (service.path / link).exists()),
    ]


def modules_of(node: ast.AST) -> list[str]:
    """The modules of the service that this node imports from."""
    found = [one.name for one in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and node.module:
        found = [node.module]
    return [name for name in found if name.startswith(("app.", "tests."))]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_nothing_is_left_of_what_was_not_chosen_and_nothing_else_is_missing(pair: tuple[str, ...], bake: Bake) -> None:
    answers = answers_of(pair)
    service = bake(project_name="Plain", **answers)
    assert left_in(service, answers) == []
    assert missing_in(service) == []


def test_a_word_that_is_left_is_found(bake: Bake) -> None:
    answers = answers_of(SMALLEST)
    service = bake(project_name="Plain", **answers)
    (service.path / "README.md").write_text("Events go to NATS.\nA pizza.\nThe nations.\nRediscover it.\n")
    assert left_in(service, answers) == ["README.md: Events go to NATS.", "README.md: A pizza."]
    assert left_in(service, answers | {"sample": "pizzeria", "broker": "nats"}) == []


def test_what_is_missing_is_found(bake: Bake) -> None:
    service = bake(sample="none")
    (service.path / "app" / "extra.py").write_text("import app.nowhere\nfrom tests.nothing import x\nimport json\n")
    (service.path / "docs" / "extra.md").write_text("[here](nowhere.md#part) [there](../README.md)\n")
    assert missing_in(service) == [
        "app/extra.py: app.nowhere",
        "app/extra.py: tests.nothing",
        "docs/extra.md: docs/nowhere.md",
    ]


def test_each_exception_is_still_needed(bake: Bake) -> None:
    service = bake(project_name="Plain", sample="none")
    words = re.compile(f"(?<![a-z])({'|'.join(WORDS.values())})", re.IGNORECASE)
    assert [name for name in EXCEPTIONS if not words.search(service.text(name))] == []


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one service leaves for the next: what mypy knows, and the bytecode of installed packages."""
    return tmp_path_factory.mktemp("known")


@pytest.mark.pairs
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_its_own_check_is_green(pair: tuple[str, ...], bake: Bake, known: Path) -> None:
    # What needs a server runs in place. The bus, of which no answer changes a byte and which imports nothing that one
    # does, is tested where the least stands around it.
    tested = "-m 'not integration'" if pair == SMALLEST else "-m 'not integration' --ignore=tests/core/cqrs"
    service = bake(**answers_of(pair))
    installed = service.make("install")
    assert installed.returncode == 0, installed.stderr
    copy_bytecode(known / "lib", service.path / ".venv" / "lib")
    checked = service.make("check", f"ARGS={tested}", MYPY_CACHE_DIR=str(known / "mypy"))
    assert checked.returncode == 0, (checked.stdout + checked.stderr)[-8000:]
    copy_bytecode(service.path / ".venv" / "lib", known / "lib")


def copy_bytecode(source: Path, target: Path) -> None:
    """Copy the bytecode, which is as good for the same files elsewhere: uv keeps the times of their last change."""
    for folder in source.rglob("__pycache__"):
        shutil.copytree(folder, target / folder.relative_to(source), dirs_exist_ok=True)
