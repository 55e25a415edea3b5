"""A service knows its template, takes over later commits and other answers, and keeps what its team has written."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE, hook
from tests.repositories import IDENTITY, commit, say, tool
from tests.support import BakedProject, questions, run

CHOICES = {
    question: answers for question, answers in questions().items() if isinstance(answers, list) and question[0] != "_"
}
WHOLE_FILES = sorted({question for answers in hook("post_gen_project")["MANIFEST"] for question, _ in answers})
OWN = {"app/handlers/ours/__init__.py": "", "docs/ours.md": "# Ours\n", "app/ours.py": "import app.main as ours\n"}


@pytest.fixture(scope="module")
def source(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as a git repository of one commit, with the programs of an update, and without releases."""
    folder = tmp_path_factory.mktemp("repository") / "template"
    shutil.copytree(template, folder)
    for name in ("UPGRADES.md", "origin.json", ".gitattributes"):
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "releases.json").write_text("{}\n")
    (folder / ".gitignore").write_text("__pycache__/\n")
    say("git", "init", "--quiet", "--initial-branch", "main", cwd=folder)
    commit(folder, "first")
    return folder


@pytest.fixture
def growing_source(source: Path, tmp_path: Path) -> Path:
    """A copy of it, for tests that add commits."""
    return Path(shutil.copytree(source, tmp_path / "template"))


@pytest.fixture(scope="module")
def first_service(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with the default answers."""
    return baked(source, tmp_path_factory.mktemp("first"))


@pytest.fixture
def service(first_service: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(first_service, tmp_path / "service/pizzeria"))


def baked(source: Path, into: Path, *answers: str) -> Path:
    """A service as `cookiecutter` makes it from a repository, committed."""
    into.mkdir(exist_ok=True)
    words = "cookiecutter <this repository>".replace("<this repository>", str(source)).split()
    say(tool(words[0]), *words[1:], "--no-input", *answers, cwd=into)
    commit(into / "pizzeria", "baked")
    return into / "pizzeria"


def evolve(source: Path, service: Path, *words: str) -> tuple[int, str]:
    """Let the template change a service: the exit code, and what was said."""
    module = (sys.executable, "-m", "scripts.evolve", *words, "--service", str(service))
    done = run(*module, cwd=source, **IDENTITY)
    return done.returncode, done.stdout + done.stderr


def write(service: Path, files: dict[str, str]) -> None:
    """Write and commit files of the team."""
    for name, text in files.items():
        (service / name).parent.mkdir(parents=True, exist_ok=True)
        (service / name).write_text(text)
    commit(service, "ours")


def state(service: Path) -> str:
    """What differs from the last commit."""
    return say("git", "status", "--porcelain", cwd=service)


# The record of template, commit and answers.


def test_a_plain_bake_knows_what_cruft_would_have_recorded(source: Path, tmp_path: Path) -> None:
    plain = json.loads((baked(source, tmp_path / "plain", "broker=nats") / ".cruft.json").read_text())
    (tmp_path / "crufty").mkdir()
    words = ("--no-input", "--extra-context", '{"broker": "nats"}')
    say(tool("cruft"), "create", str(source), *words, cwd=tmp_path / "crufty")
    crufty = json.loads((tmp_path / "crufty/pizzeria/.cruft.json").read_text())

    asked = {question: answer for question, answer in crufty["context"]["cookiecutter"].items() if question[0] != "_"}
    assert plain == {**crufty, "context": {"cookiecutter": asked}}


def test_cruft_itself_works_from_the_first_day(growing_source: Path, tmp_path: Path) -> None:
    service = baked(growing_source, tmp_path / "service")
    write(service, {"README.md": f"{(service / 'README.md').read_text()}\nOur own words.\n"})
    say(tool("cruft"), "check", cwd=service)
    makefile = growing_source / SERVICE / "Makefile"
    makefile.write_text(f"{makefile.read_text()}\n# A later thought.\n")
    commit(growing_source, "later")

    assert run(tool("cruft"), "check", cwd=service).returncode == 1
    say(tool("cruft"), "update", "--skip-apply-ask", cwd=service)

    assert (service / "Makefile").read_text().endswith("# A later thought.\n")
    assert "Our own words." in (service / "README.md").read_text()
    say(tool("cruft"), "check", cwd=service)


def test_a_copy_that_git_has_archived_knows_its_commit(source: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    say("git", "archive", "--output", str(tmp_path / "copy.tar"), "HEAD", cwd=source)
    say("tar", "xf", str(tmp_path / "copy.tar"), cwd=tmp_path / "copy")

    record = json.loads((baked(tmp_path / "copy", tmp_path / "service") / ".cruft.json").read_text())

    assert record["commit"] == say("git", "rev-parse", "HEAD", cwd=source).strip()


def test_a_copy_without_a_commit_says_what_to_do(template: Path, tmp_path: Path) -> None:
    words = ("--no-input", "--output-dir", str(tmp_path), str(template))
    said = say(tool("cookiecutter"), *words, cwd=tmp_path)

    assert "Nothing tells which commit of the template this is" in said
    assert not (tmp_path / "pizzeria/.cruft.json").exists()
    commit(tmp_path / "pizzeria", "baked")
    assert "cruft link" in evolve(ROOT, tmp_path / "pizzeria", "choose", "BROKER=nats")[1]


def test_the_address_is_the_one_that_others_can_clone(growing_source: Path, tmp_path: Path) -> None:
    say("git", "clone", "--quiet", str(growing_source), str(tmp_path / "clone"), cwd=tmp_path)

    record = json.loads((baked(tmp_path / "clone", tmp_path / "service") / ".cruft.json").read_text())
    assert record["template"] == str(growing_source)

    commit(tmp_path / "clone", "not pushed")
    record = json.loads((baked(tmp_path / "clone", tmp_path / "other") / ".cruft.json").read_text())
    assert record["template"] == str(tmp_path / "clone")


def test_a_record_before_uncommitted_changes_says_so(growing_source: Path, tmp_path: Path) -> None:
    (growing_source / "LICENSE").write_text("changed")
    said = say(tool("cookiecutter"), "--no-input", "--output-dir", str(tmp_path), str(growing_source), cwd=tmp_path)
    assert "uncommitted changes" in said


# Other answers.


@pytest.mark.parametrize("question", [*WHOLE_FILES, "license"])
def test_what_is_chosen_later_is_as_if_it_had_been_chosen_at_first(
    question: str, source: Path, service: Path, tmp_path: Path
) -> None:
    write(service, OWN)
    own = {name: text.encode() for name, text in OWN.items()}
    first, *others = CHOICES[question] if question in WHOLE_FILES else CHOICES[question][:2]
    for answer in (*others, first):
        fresh = BakedProject(baked(source, tmp_path / answer, f"{question}={answer}")).files()
        code, said = evolve(source, service, "choose", f"{question.upper()}={answer}", "--data", "keep")
        assert (code, BakedProject(service).files()) == (0, fresh | own), said
        commit(service, answer)


def test_a_changed_file_stays_and_is_told(source: Path, tmp_path: Path) -> None:
    service = baked(source, tmp_path / "service", "cache=redis")
    page = "docs/shared_cache.md"
    write(service, {page: f"{(service / page).read_text()}\nOurs.\n"})

    code, said = evolve(source, service, "choose", "CACHE=memory")

    assert (code, (service / page).read_text().endswith("Ours.\n")) == (0, True)
    assert f"they stay, and are yours:\n    {page}\n" in said
    assert not (service / "app/adapters/cache_redis.py").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["choose"], "The choices are:"),
        (["choose", "BROKR=nats"], "BROKER=none|nats"),
        (["choose", "PROJECT_SLUG=other"], "The choices are:"),
        (["choose", "BROKER=carrier-pigeon"], "BROKER is one of none, nats, rabbitmq, kafka, redis, but not"),
        (["choose", "SAMPLE=none"], "Say what becomes of their tables: DATA=drop deletes them"),
        (["choose", "SAMPLE=none", "--data", "burn"], "DATA=drop deletes them"),
        (["update", "--to", "no-such-release"], "The template has no commit no-such-release"),
        (["update", "BROKR=nats", "--to", "HEAD"], "The template does not ask for brokr"),
        (["update", "SAMPLE=none"], "SAMPLE was answered otherwise: `make choose` changes an answer."),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_is_wrong_is_refused_and_nothing_is_changed(
    words: list[str], sentence: str, source: Path, service: Path
) -> None:
    code, said = evolve(source, service, *words)
    assert (code, sentence in said, state(service)) == (1, True, ""), said


def test_what_was_chosen_already_is_said(source: Path, service: Path) -> None:
    assert evolve(source, service, "choose", "BROKER=none") == (0, "pizzeria has chosen that already.\n")
    assert "is up to date" in evolve(source, service, "update")[1]


def test_changes_that_are_not_committed_are_not_mixed_with_an_update(source: Path, service: Path) -> None:
    (service / "new.txt").write_text("")
    assert "has changes that are not committed" in evolve(source, service, "choose", "BROKER=nats")[1]
    shutil.rmtree(service / ".git")
    assert "has no commit yet" in evolve(source, service, "choose", "BROKER=nats")[1]


def test_code_that_uses_what_would_be_given_up_is_named(source: Path, service: Path) -> None:
    uses = "import os\n\nfrom app.domain.order import Order\nfrom app.domain import menu\n\nOURS = (os, Order, menu)\n"
    changed = (service / "app/api/routes/menu.py").read_text() + "\n# Ours.\n"
    write(service, {"app/ours.py": uses, "app/api/routes/menu.py": changed})

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "drop")

    assert (code, state(service)) == (1, "")
    assert "app/ours.py:3 imports app.domain.order\n" in said
    assert "app/ours.py:4 imports app.domain.menu\n" in said
    assert "app/api/routes/menu.py:" in said, "a changed file of the sample is the team's, too"


TABLES = '''"""Select all from orders, in prose."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Table, text

from app.persistence.tables import metadata

LATE = text("SELECT title FROM tickets JOIN orders ON orders.id = tickets.order_id")
PAID = f"select paid from {LATE}, paid_orders"
ITEM = ForeignKeyConstraint(["item"], ["menu_items.id"])
tickets = Table("tickets", metadata, Column("orders", ForeignKey("orders.id")), ITEM)
SAID = ["orders", "toppings", "All comes from orders."]


def upgrade() -> None:
    op.create_foreign_key("fk", "tickets", "order_lines", ["orders"], ["id"])
    op.bulk_insert(sa.table("toppings"), [])
'''


def test_code_that_names_a_table_which_would_be_given_up_is_named(source: Path, service: Path) -> None:
    write(service, {"app/ours.py": TABLES})

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "keep")

    assert (code, state(service)) == (1, "")
    assert said.splitlines()[1:-1] == [
        "    app/ours.py:11 names the table menu_items",
        "    app/ours.py:12 names the table orders",
        "    app/ours.py:17 names the table order_lines",
        "    app/ours.py:18 names the table toppings",
        "    app/ours.py:9 names the table orders",
    ]


def test_a_file_of_the_team_is_never_written_over(source: Path, service: Path) -> None:
    write(service, {"app/adapters/broker_nats.py": "# Ours.\n"})
    code, said = evolve(source, service, "choose", "BROKER=nats")
    assert (code, state(service)) == (1, "")
    assert "rename yours first:\n    app/adapters/broker_nats.py\n" in said


def test_migrations_of_the_team_follow_what_is_left(source: Path, service: Path) -> None:
    mine = "app/migrations/versions/20261201080000_tickets.py"
    write(service, {mine: 'revision = "20261201080000"\ndown_revision = "0004"\n'})

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "drop")
    assert (code, state(service)) == (1, "")
    assert "These migrations of yours follow 0003, 0004, so going back would revert them, too." in said

    code, said = evolve(source, service, "choose", "SAMPLE=none", "--data", "keep")
    assert (code, f"{mine} follows 0002_1 now." in said) == (0, True)
    assert (service / mine).read_text() == 'revision = "20261201080000"\ndown_revision = "0002_1"\n'
    assert "run `app db mark REVISION missing`" in said


# Later commits.


def later(source: Path, changes: dict[str, tuple[str, str]]) -> None:
    """Change files of the template, and commit."""
    for name, (old, new) in changes.items():
        file = source / SERVICE / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
    commit(source, "later")


def merged(source: Path, service: Path, *words: str) -> tuple[int, str]:
    """Update without the check at its end, which would install."""
    (service / "Makefile").write_text("install check:\n\t@true\n")
    commit(service, "no check")
    return evolve(source, service, "update", *words)


def test_an_update_keeps_what_the_team_has_changed_moved_and_deleted(growing_source: Path, service: Path) -> None:
    write(service, {"docs/events.md": f"{(service / 'docs/events.md').read_text()}\nOurs.\n"})
    say("git", "mv", "docs/rules.md", "docs/our_rules.md", cwd=service)
    say("git", "rm", "--quiet", "docs/sockets.md", cwd=service)
    commit(service, "moved and deleted")
    later(growing_source, {f"docs/{name}.md": ("# ", "# The new ") for name in ("events", "rules", "sockets")})

    code, said = merged(growing_source, service)

    assert code == 0, said
    assert (service / "docs/events.md").read_text().startswith("# The new ")
    assert (service / "docs/events.md").read_text().endswith("Ours.\n")
    assert (service / "docs/our_rules.md").read_text().startswith("# The new ")
    assert not (service / "docs/rules.md").exists()
    assert "so they stay deleted:\n    docs/sockets.md\n" in said
    assert not (service / "docs/sockets.md").exists()


def test_a_conflict_is_left_to_a_person_with_all_else_done(growing_source: Path, service: Path) -> None:
    write(service, {"docs/rules.md": "# Our rules\n"})
    later(growing_source, {"docs/rules.md": ("# ", "# The new "), "docs/events.md": ("# ", "# The new ")})

    code, said = merged(growing_source, service)

    assert (code, "see the marks of git in them:\n    docs/rules.md\n" in said) == (1, True)
    assert "<<<<<<<" in (service / "docs/rules.md").read_text()
    assert (service / "docs/events.md").read_text().startswith("# The new ")
    assert (
        json.loads((service / ".cruft.json").read_text())["commit"]
        == say("git", "rev-parse", "HEAD", cwd=growing_source).strip()
    )
    say("git", "reset", "--quiet", "--hard", cwd=service)
    assert state(service) == ""


def test_a_new_question_is_asked_and_not_guessed(growing_source: Path, service: Path) -> None:
    asked = json.loads((growing_source / "cookiecutter.json").read_text())
    (growing_source / "cookiecutter.json").write_text(json.dumps({**asked, "colour": ["red", "blue"]}, indent=2))
    commit(growing_source, "one more question")

    code, said = merged(growing_source, service)
    assert code == 1
    assert "    COLOUR=red|blue\nsuch as: make update COLOUR=red" in said

    assert evolve(growing_source, service, "update", "COLOUR=blue")[0] == 0
    assert json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]["colour"] == "blue"


def test_a_service_inside_a_bigger_repository_is_updated_in_its_folder(growing_source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    say("git", "init", "--quiet", cwd=whole)
    (whole / "docs").mkdir()
    (whole / "docs/events.md").write_text("# Not the service's\n")
    service = baked(growing_source, whole / "services")
    later(growing_source, {"docs/events.md": ("# ", "# The new ")})

    code, said = merged(growing_source, service)

    assert code == 0, said
    assert (service / "docs/events.md").read_text().startswith("# The new ")
    assert (whole / "docs/events.md").read_text() == "# Not the service's\n"
