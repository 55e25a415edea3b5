import base64

import pytest

from app.core.cqrs import QueryValidationError
from app.read_models.cursors import read_cursor, write_cursor

SECRET = b"a secret"
OF = ("things", None, "new")
POSITION = ["2026-05-01T18:00:00+00:00", "ü 😀"]
CURSOR = write_cursor(SECRET, OF, POSITION)


def test_a_cursor_comes_back_as_it_went() -> None:
    assert read_cursor(SECRET, OF, CURSOR) == POSITION
    assert CURSOR.isascii() and "=" not in CURSOR and "new" not in CURSOR


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "A" * 40,
        CURSOR + "A",
        CURSOR + "=",
        CURSOR[:-1],
        f"{CURSOR[:20]}\n{CURSOR[20:]}",
        "\x00",
        "é",
        "\ud800",
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(QueryValidationError) as refused:
        read_cursor(SECRET, OF, cursor)
    assert refused.value.details == {"cursor": "is not one of this list"}


def test_a_cursor_that_was_changed_anywhere_is_refused() -> None:
    for index, letter in enumerate(CURSOR):
        changed = f"{CURSOR[:index]}{'B' if letter == 'A' else 'A'}{CURSOR[index + 1 :]}"
        with pytest.raises(QueryValidationError):
            read_cursor(SECRET, OF, changed)


def test_a_cursor_is_good_for_its_list_and_its_service_only() -> None:
    for secret, of in ((b"another", OF), (SECRET, ("things", "new", None)), (SECRET, ("users", None, "new"))):
        with pytest.raises(QueryValidationError):
            read_cursor(secret, of, CURSOR)


def test_nobody_makes_one_without_the_secret() -> None:
    forged = base64.urlsafe_b64encode(b"0" * 16 + b'["2026-05-01T18:00:00+00:00", "x"]').decode().rstrip("=")
    with pytest.raises(QueryValidationError):
        read_cursor(SECRET, OF, forged)
