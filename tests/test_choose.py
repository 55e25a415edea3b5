"""A service takes over other answers, and keeps what its team has written."""

import shutil
from pathlib import Path

import pytest

from scripts.bake import hook
from tests.repositories import baked, commit, evolve, state, write
from tests.support import BakedProject, questions

CHOICES = {
    question: answers for question, answers in questions().items() if isinstance(answers, list) and question[0] != "_"
}
WHOLE_FILES = sorted({question for answers in hook("post_gen_project")["MANIFEST"] for question, _ in answers})
OWN = {"app/handlers/ours/__init__.py": "", "docs/ours.md": "# Ours\n", "app/ours.py": "import app.main as ours\n"}


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
        (["choose", "BROKR=nats"], "Only these are choices, see `make choose`: LICENSE, "),
        (["choose", "PROJECT_SLUG=other"], "Only these are choices, see `make choose`: LICENSE, "),
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


def test_without_an_answer_the_choices_are_listed(source: Path, service: Path) -> None:
    code, said = evolve(source, service, "choose")
    assert (code, state(service)) == (0, "")
    assert "    SAMPLE=[pizzeria]|none\n    BROKER=[none]|nats|rabbitmq|kafka|redis\n" in said


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
