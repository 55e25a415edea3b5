import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.text import folded, line_problem, only_problems, text_problem


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("fine", None),
        ("", "must not be empty"),
        ("a", "must have at least 2 characters"),
        ("x" * 11, "must have at most 10 characters"),
        ("a\x00b", "must not contain NUL characters"),
        ("a\udc00b", "must be valid Unicode"),
        ("😀" * 10, None),
        ("two\nlines", None),
    ],
)
def test_text_has_a_length_and_only_letters_that_databases_take(value: str, problem: str | None) -> None:
    assert text_problem(value, longest=10, shortest=2) == problem


@pytest.mark.parametrize(
    "value", ["two\nlines", "two\u2028lines", "two\u2029paragraphs", "bell\x07", "\x85next", " space", "space "]
)
def test_a_line_has_no_control_characters_and_no_spaces_around(value: str) -> None:
    assert line_problem(value, longest=20) is not None


@given(st.text(max_size=50))
def test_what_passes_can_be_encoded_and_folds_once_and_for_all(value: str) -> None:
    if text_problem(value, longest=50) is None:
        assert b"\x00" not in value.encode()
        assert folded(folded(value)) == folded(value)
        assert len(folded(value).encode()) <= 3 * 4 * 50


def test_only_problems_are_kept() -> None:
    assert only_problems({"a": None, "b": "is wrong"}) == {"b": "is wrong"}
