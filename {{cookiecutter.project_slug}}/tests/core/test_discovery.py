"""Discovery, on packages that the tests write."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.cqrs import DiscoveryError
from app.core.cqrs.plan import declared_handlers
from app.core.discovery import discover

GREET = """
from dataclasses import dataclass
from app.core.cqrs import *

@dataclass
class Greet(ICommand[str]):
    name: str
"""
HANDLER = """
@command_handler(Greet)
class GreetHandler(BaseCommandHandler[Greet, str]):
    async def _handle(self, command: Greet) -> str:
        return command.name
"""
NAME = "discovered_by_a_test"


class Package:
    """A package in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / NAME
        self._folder.mkdir()

    def write(self, **modules: str) -> None:
        """Write modules; `sub__module` is in the package `sub`."""
        for name, content in modules.items():
            file = self._folder.joinpath(*name.split("__")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def problems(self) -> str:
        """What discovery says when it refuses."""
        with pytest.raises(DiscoveryError) as raised:
            discover(NAME)
        return str(raised.value)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    before = list(declared_handlers)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Package(tmp_path)
    declared_handlers[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] == NAME]:
        del sys.modules[name]


def names(found: list[type]) -> list[str]:
    return [cls.__name__ for cls in found]


def test_handlers_are_found_in_nested_packages_with_and_without_init(package: Package) -> None:
    package.write(greet=GREET + HANDLER, deep__er__bow=(GREET + HANDLER).replace("Greet", "Bow"))
    package.write(deep____init__="", with_init__wave=(GREET + HANDLER).replace("Greet", "Wave"))
    (package._folder / "with_init" / "__init__.py").touch()
    assert names(discover(NAME).handlers) == ["BowHandler", "GreetHandler", "WaveHandler"]


def test_what_is_imported_is_found_once_where_it_is_from(package: Package) -> None:
    package.write(greet=GREET + HANDLER, again=f"from {NAME}.greet import *")
    assert names(discover(NAME).handlers) == ["GreetHandler"]


def test_behaviours_are_found_and_their_abstract_bases_are_not(package: Package) -> None:
    package.write(
        hours="""
from app.core.cqrs import PipelineBehavior
class Base(PipelineBehavior): ...
class Open(Base):
    async def handle(self, message, next_handler):
        return await next_handler()
"""
    )
    assert names(list(discover(NAME).behaviors)) == ["Open"]


def test_auto_register_false_passes_a_handler_over(package: Package) -> None:
    package.write(greet=GREET + HANDLER.replace("(Greet)\n", "(Greet, auto_register=False)\n"))
    assert discover(NAME).handlers == []


def test_a_message_without_a_handler_is_refused(package: Package) -> None:
    package.write(greet=GREET)
    assert f"{NAME}.greet.Greet has no handler: declare one with @command_handler(Greet)" in package.problems()


def test_a_query_without_a_handler_is_refused(package: Package) -> None:
    package.write(greet=GREET.replace("ICommand", "IQuery"))
    assert "@query_handler(Greet)" in package.problems()


def test_a_base_of_messages_needs_no_handler(package: Package) -> None:
    package.write(greet="from abc import ABC\n" + GREET.replace("ICommand[str]", "ICommand[str], ABC"))
    assert discover(NAME).problems == []


def test_two_handlers_for_a_message_are_refused_by_name(package: Package) -> None:
    package.write(greet=GREET + HANDLER, other=f"from {NAME}.greet import *\n" + HANDLER.replace("GreetH", "OtherH"))
    said = package.problems()
    assert f"{NAME}.greet.Greet is handled by {NAME}.greet.GreetHandler and by {NAME}.other.OtherHandler" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("import nowhere_to_be_found", "(broken.py, line 1): ModuleNotFoundError: No module named 'nowhere_to"),
        ("x = 1\n\n1 / 0", "(broken.py, line 3): ZeroDivisionError"),
        ("def (", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_broken_module_is_named_with_the_reason(package: Package, content: str, said: str) -> None:
    package.write(broken=content, greet=GREET)
    problems = package.problems()
    assert f"{NAME}.broken does not import" in problems
    assert said in problems
    assert "Greet has no handler" in problems, "all that is wrong is told at once"


def test_a_file_that_cannot_be_imported_is_told(package: Package) -> None:
    package.write(**{"not-a-name": ""})
    assert "rename it" in package.problems()


def test_a_package_that_does_not_exist_is_told() -> None:
    with pytest.raises(DiscoveryError, match="no_such_package does not import"):
        discover("no_such_package")


def test_a_dependency_that_cannot_be_resolved_is_named(package: Package) -> None:
    hidden = HANDLER.replace("    async", "    users: 'UserRepository'\n    async")
    package.write(greet=GREET + hidden)
    assert "GreetHandler has a dependency that cannot be resolved, UserRepository: import it" in package.problems()


def test_an_abstract_handler_is_refused(package: Package) -> None:
    package.write(greet=GREET + "@command_handler(Greet)\nclass GreetHandler(BaseCommandHandler[Greet, str]): ...")
    assert "GreetHandler is abstract: implement _handle." in package.problems()


def test_report_goes_on_past_what_is_broken(package: Package) -> None:
    package.write(broken="1 / 0", greet=GREET + HANDLER, bow=GREET.replace("Greet", "Bow"))
    found = discover(NAME, on_error="report")
    assert names(found.handlers) == ["GreetHandler"]
    assert len(found.problems) == 2
