import inspect
import re
from pathlib import Path

from app.core.cqrs import testing


def test_the_list_holds_every_name_that_the_package_gives_away() -> None:
    given = {name for name, value in vars(testing).items() if not name.startswith("_") and not inspect.ismodule(value)}
    given |= {"tracked"}  # a function and the module it is in
    assert sorted(given) == testing.__all__


def test_the_map_names_every_module_and_no_other() -> None:
    modules = {path.stem for path in Path(str(testing.__file__)).parent.glob("*.py")} - {"__init__"}
    assert set(re.findall(r"^(\w+) {2,}\S", testing.__doc__ or "", re.MULTILINE)) == modules


def test_every_public_thing_says_what_it_is() -> None:
    assert [name for name in testing.__all__ if not getattr(testing, name).__doc__] == []


def test_the_kit_needs_no_test_runner() -> None:
    sources = [path.read_text() for path in Path(str(testing.__file__)).parent.glob("*.py")]
    assert [source for source in sources if "import pytest" in source] == []
