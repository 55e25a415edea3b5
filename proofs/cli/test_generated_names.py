"""A name that cannot be used is refused with a sentence, and what cannot be written safely is not written."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.cli.new.guide import KINDS
from app.cli.new.words import article, is_plural, participle, plural, sentence
from support.checkout import Checkout

REFUSED = {
    "aggregate Invoice": "The aggregate 'Invoice' is not in snake case",
    "aggregate credit-note": "not in snake case",
    "aggregate form_17": "not in snake case",
    "aggregate _invoice": "not in snake case",
    f"aggregate {'x' * 33}": "has 33 letters: choose one of at most 32",
    "aggregate class": "class is a word of Python",
    "aggregate match": "match is a word of Python",
    "aggregate list": "list is a word of Python",
    "aggregate email": "email is a module of Python's library",
    "aggregate tests": "tests is a package of the service itself",
    "aggregate core": "core is a package of the service itself",
    "aggregate invoices": "invoices looks like a plural: an aggregate is one thing",
    "aggregate sheep --plural sheep": "The table needs another name than the aggregate sheep",
    "aggregate invoice --plural In": "The plural 'In' is not in snake case",
    "aggregate user": "There is a table users already",
    "aggregate invoice --plural users": "There is a table users already",
    "aggregate find_spot": "find begins the names of commands or queries",
    "aggregate create_thing": "create begins the names of commands or queries",
    "aggregate clock": "clock is a name that the code itself uses",
    "aggregate title": "title is a name that the code itself uses",
    "aggregate invoice --command get_invoice": "get_invoice asks: commands order something",
    "aggregate invoice --command user_invoice": "user_invoice begins with a noun",
    "aggregate invoice --command create_user": "app/handlers/user/create_user_handler.py exists already",
    "aggregate invoice --event invoice_opened": "'invoice_opened' is not the name of a class",
    "aggregate invoice --event UserCreated": "There is a class UserCreated in app/domain already",
    "command invoice": "invoice is not a name such as invoice/void_invoice",
    "command a/b/c": "a/b/c is not a name such as invoice/void_invoice",
    "command invoice/void_invoice": "`app new aggregate` writes it",
    "command user/greet_user": "`app new aggregate` writes it",
    "command order/ship_order": "has no OrderEvent.user_id, which this is built on",
    "query invoice/invoice_list": "begins with one of count, find, get, list, scroll, search",
    "query user/get_user": "app/handlers/user/get_user_handler.py exists already",
    "event_handler user/tell_user --event UserGone": "There is no event UserGone in app/domain: there are",
    "event_handler order/tell_guest --event OrderPlaced": "OrderPlaced has no `user_id: UUID`, so nobody can be told",
    "event_handler user/send_welcome --event UserDeactivated": "send_welcome_handler.py exists already",
    "projection invoice/invoices_per_day": "`app new aggregate` writes it",
}


@pytest.mark.parametrize(("line", "sentence"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_written_is_refused_with_a_sentence(line: str, sentence: str) -> None:
    done = CliRunner().invoke(app, ["new", *line.split(), "--dry-run"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_each_kind_explains_itself() -> None:
    for kind in KINDS:
        done = CliRunner().invoke(app, ["new", kind, "--help"])
        assert (done.exit_code, "--dry-run" in done.stdout) == (0, True)


def test_what_exists_or_is_not_in_shape_is_not_touched(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "service")
    checkout.app("new aggregate invoice")
    files = checkout.files()
    assert "There is a table invoices already" in checkout.refused("new aggregate invoice")
    assert checkout.files() == files
    aggregate = checkout.path / "app" / "domain" / "invoice.py"
    shaped = aggregate.read_text()
    for before, after, said in (
        ('"new"', "'new'", "app/domain/invoice.py is not formatted"),
        ("    status: str\n", "", "app/domain/invoice.py has no Invoice.status"),
        ("class Invoice(", "class Bill(", "There is no class Invoice to add to"),
        ("AggregateRoot\n", "AggregateRoot, Nothing\n", "has no Nothing"),
        ("class Invoice(", "class Invoice((", "app/domain/invoice.py is not valid Python: line"),
        ("    def __init__", "    def void(self) -> None:\n        pass\n\n    def __init__", "F811"),
    ):
        aggregate.write_text(shaped.replace(before, after))
        assert said in checkout.refused("new command invoice/void_invoice")
    aggregate.write_text(shaped)
    assert checkout.files() == files
    checkout.app("new command invoice/void_invoice")


def test_words_are_those_of_english() -> None:
    verbs = {
        "close": "closed",
        "void": "voided",
        "pay": "paid",
        "ship": "shipped",
        "carry": "carried",
        "play": "played",
    }
    verbs |= {
        "cancel": "cancelled",
        "deliver": "delivered",
        "fix": "fixed",
        "put": "put",
        "send": "sent",
        "view": "viewed",
    }
    assert {verb: participle(verb) for verb in verbs} == verbs
    nouns = {
        "invoice": "invoices",
        "company": "companies",
        "box": "boxes",
        "day": "days",
        "credit_note": "credit_notes",
    }
    assert {noun: plural(noun) for noun in nouns} == nouns
    assert [is_plural(noun) for noun in ("invoices", "address", "status", "analysis", "invoice")] == [
        True,
        *[False] * 4,
    ]
    with_an = "account invoice order hour heir honest_report uncle uninstall_report update x_ray sms http_call mp3_file"
    with_a = "user unit union one_off once_over euro_account utility url uuid usb_stick ticket hero student year"
    assert [noun for noun in with_an.split() if article(noun) != "an"] == []
    assert [noun for noun in with_a.split() if article(noun) != "a"] == []
    assert sentence("mark_invoice_paid", "invoice", "an") == "mark an invoice paid"
    assert sentence("send_reminder", "invoice", "an") == "send reminder for an invoice"
