"""`app new` adds to a module where Python counts its lines."""

import pytest

from app.cli.new.python import added


@pytest.mark.parametrize("odd", ["\f", "x = '\u2028'", "x = '\x85'"], ids=ascii)
def test_a_block_is_put_into_its_place_below_odd_ends_of_lines(odd: str) -> None:
    module = f"{odd}\nimport re\n\n\nclass A:\n    a = 1\n\n\nclass B:\n    b = 2\n"
    block = "import os\n\n\nclass A:\n    ...\n    z = 3\n"
    assert added(module, block) == (
        f"{odd}\nimport os\nimport re\n\n\nclass A:\n    a = 1\n    z = 3\n\n\nclass B:\n    b = 2\n"
    )
