"""The exact versions that a service has after an update."""

import pytest

from scripts.pins import newest


def test_pins_are_never_taken_back() -> None:
    ours = ["a==1.10.0", "b==2.0 ; python_version < '3.13'", "b==3.0 ; python_version >= '3.13'", "c==1", "ours==7"]
    theirs = ["a==1.9", "b==2.1 ; python_version < '3.13'", "b==2.9 ; python_version >= '3.13'", "c==1", "d==1"]
    shared = ["a==1.10.0", "b==2.1 ; python_version < '3.13'", "b==3.0 ; python_version >= '3.13'", "c==1", "d==1"]
    assert newest(ours, theirs) == (shared, ["ours==7"])


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        (["a==6.0.0rc1"], ["a==6.0.0"], ["a==6.0.0"]),
        (["a==6.0.0.post1"], ["a==6.0"], ["a==6.0.0.post1"]),
        (["a==6.1.dev3"], ["a==6.1a1"], ["a==6.1a1"]),
        (["a==6.1b10"], ["a==6.1b9"], ["a==6.1b10"]),
        (["a==6.0"], ["a==6.0.0rc1"], ["a==6.0"]),
        (["a==1!2.0"], ["a==10.0"], ["a==1!2.0"]),
        (
            ["a==3.11 ; python_version < '3.14'", "a==3.12 ; python_version >= '3.14'"],
            ["a==3.11.5"],
            ["a==3.11.5 ; python_version < '3.14'", "a==3.12 ; python_version >= '3.14'"],
        ),
        (
            ["a==3.12"],
            ["a==3.11 ; python_version < '3.14'", "a==3.13 ; python_version >= '3.14'"],
            ["a==3.12 ; python_version < '3.14'", "a==3.13 ; python_version >= '3.14'"],
        ),
    ],
)
def test_the_newer_of_two_pins_is_found_as_pip_would(ours: list[str], theirs: list[str], kept: list[str]) -> None:
    assert newest(ours, theirs) == (kept, [])
