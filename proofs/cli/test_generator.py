"""`app new` writes use cases that pass as they are, and `app undo` takes them back."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.new.guide import KINDS, blocks_of
from app.cli.new.python import IN_CLASS
from support.checkout import Checkout
from support.places import SERVICE

INVOICES = "new aggregate invoice --command raise_invoice"
VOID = "new command invoice/void_invoice"
OF_EACH_KIND = (
    INVOICES,
    "new aggregate account --command add_account",
    VOID,
    "new query invoice/get_invoice_balance",
    "new event_handler invoice/notify_owner --event InvoiceRaised",
    "new event_handler user/notify_family --event UserDeactivated",
    "new projection invoice/invoices_per_day",
)
TICKETS = (
    "new aggregate ticket",
    "new command ticket/close_ticket",
    "new event_handler ticket/notify_ticket_closed --event TicketClosed",
    "new projection ticket/tickets_per_day",
)
IDS = re.compile(r"(?<!\d)\d{14}(?!\d)")


IMPORTS = re.compile(r'\A(?:"""[^"]*"""\n|(?:from|import) .*\n|\n)*')


def without_ids(checkout: Checkout) -> dict[str, str]:
    """The files without the ids of new migrations, which are the time, and without the record."""
    found = {IDS.sub("...", name): IDS.sub("...", text.decode()) for name, text in checkout.files().items()}
    return {name: text for name, text in found.items() if name != ".app-new.json"}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A service to write into."""
    return Checkout(tmp_path / "service")


def test_what_is_written_passes_its_own_test(checkout: Checkout) -> None:
    said = ""
    for line in OF_EACH_KIND:
        known = checkout.files()
        said += checkout.app(line)
        written = [text for path, text in checkout.files().items() if known.get(path) != text]
        assert [text for text in written if b"ticket" in text.lower()] == [], f"{line}: a word of the guide is left"
    checkout.passes(said)


def test_an_irregular_plural_is_known_later_and_the_rest_may_be_named_too(checkout: Checkout) -> None:
    begun = checkout.app("new aggregate sheep --plural flock --command buy_sheep --event LambBorn")
    assert "app/handlers/sheep/buy_sheep_handler.py" in begun
    said = checkout.app("new command sheep/shear_sheep --event SheepShorn")
    checkout.passes(said)
    assert "app/api/routes/flock.py" in said
    events = (checkout.path / "app" / "domain" / "sheep_events.py").read_text()
    assert re.findall(r"^class (\w+)", events, re.MULTILINE) == ["SheepEvent", "LambBorn", "SheepShorn"]


def test_a_permission_that_is_granted_already_is_not_granted_again(checkout: Checkout) -> None:
    checkout.app(INVOICES)
    (migration,) = checkout.path.glob("app/**/*_invoices.py")
    granted = migration.read_text().replace('"invoice:read:own"', '"invoice:read:own", "invoice:void:own"')
    migration.write_text(granted)
    said = checkout.app(VOID)
    checkout.passes(said)
    assert "/versions/" not in said
    for line in ("db upgrade", "db check"):
        checkout.app(line)


def test_a_command_begins_the_tests_of_endpoints_where_there_are_none(checkout: Checkout) -> None:
    checkout.app(INVOICES)
    tests = checkout.path / "tests" / "api" / "routes" / "test_invoices.py"
    tests.unlink()
    checkout.passes(checkout.app(VOID))
    assert re.findall(r"def (test_\w+)", tests.read_text()) == ["test_void_invoice_over_http"]


def test_all_of_it_is_taken_back_to_the_byte_the_last_one_first(checkout: Checkout) -> None:
    files, folders = checkout.files(), checkout.folders()
    for line in TICKETS:
        checkout.app(line)
    (checkout.path / "app" / "handlers" / "ticket" / "__pycache__").mkdir(exist_ok=True)
    said = [checkout.app("undo") for _ in TICKETS]
    assert ["Taken back: app new projection ticket/tickets_per_day" in said[0], len(said)] == [True, 4]
    assert (checkout.files(), checkout.folders()) == (files, folders)
    assert "There is nothing to take back" in checkout.refused("undo")


def test_what_was_changed_since_is_named_and_nothing_is_taken_back(checkout: Checkout) -> None:
    checkout.app(INVOICES)
    checkout.app(VOID)
    with (checkout.path / "app" / "domain" / "invoice.py").open("a") as file:
        file.write("\n# ours\n")
    files = checkout.files()
    assert checkout.refused("undo") == (
        "Nothing was taken back, because this was changed since: app/domain/invoice.py."
    )
    assert checkout.files() == files


def test_a_migration_that_is_applied_or_followed_is_not_taken_back(checkout: Checkout) -> None:
    checkout.app("db upgrade")
    files = checkout.files()
    checkout.app(INVOICES)
    checkout.app("db upgrade")
    assert "run `app db downgrade -1` first" in checkout.refused("undo")
    later = checkout.path / checkout.app("db revision later").splitlines()[-1]
    assert f"{later.name} follows" in checkout.refused("undo")
    later.unlink()
    checkout.app("db downgrade -1")
    checkout.app("undo")
    assert checkout.files() == files
    checkout.app("db check")


def test_its_migrations_leave_no_difference_for_the_next_and_can_be_reverted(checkout: Checkout) -> None:
    for line in (*TICKETS, "db upgrade", "db check"):
        checkout.app(line)
    for line in ("db downgrade 0004", "db upgrade", "db check"):
        checkout.app(line)


def test_for_tickets_it_writes_what_the_guide_shows(checkout: Checkout) -> None:
    for line in TICKETS:
        checkout.app(line)
    written = without_ids(checkout)
    blocks = [block for kind in KINDS for block in blocks_of(kind)]
    paths = [block.path for block in blocks]
    for block in blocks:
        text = re.sub(r'^down_revision = ".*"$', 'down_revision = "..."', written[block.path], flags=re.MULTILINE)
        if paths.count(block.path) == 1:
            assert text == block.code
        else:  # others add to it: the imports of all are at the top
            assert IN_CLASS.sub("", IMPORTS.sub("", block.code)).strip("\n") in text


def test_a_dry_run_shows_what_would_be_written(checkout: Checkout) -> None:
    checkout.app(INVOICES)
    files = checkout.files()
    shown = checkout.app(f"{VOID} --dry-run")
    assert checkout.files() == files
    subprocess.run(["git", "apply", "-"], cwd=checkout.path, input=shown, text=True, check=True)
    applied = without_ids(checkout)
    subprocess.run(["git", "apply", "--reverse", "-"], cwd=checkout.path, input=shown, text=True, check=True)
    checkout.app(VOID)
    assert applied == without_ids(checkout)


def test_an_installed_service_without_its_docs_has_nothing_to_write_from(checkout: Checkout) -> None:
    (checkout.path / "docs" / "index.md").unlink()
    for line in (INVOICES, "undo"):
        assert "work in a checkout of the service" in checkout.refused(line)


def test_a_team_that_changes_the_guide_has_changed_what_is_written(checkout: Checkout) -> None:
    page = checkout.path / "docs" / "events.md"
    text = page.read_text()
    page.write_text(
        text.replace("retry_on_failure(max_attempts=3, delay_seconds=0.1)", "retry_on_failure(max_attempts=9)")
    )
    said = checkout.app("new event_handler user/notify_family --event UserDeactivated")
    checkout.passes(said)
    assert "max_attempts=9" in (checkout.path / "app/handlers/user/notify_family_handler.py").read_text()
    page.write_text(text.replace("```python app new event_handler", "```python"))
    refused = checkout.refused("new event_handler user/notify_heirs --event UserDeactivated")
    assert "No page of docs/ has a block that begins with ```python app new event_handler." in refused


def test_the_command_line_starts_without_it() -> None:
    code = "import sys, app.cli; print([name for name in sys.modules if name.startswith(('app.cli.new', 'alembic'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=SERVICE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
