"""What a failing test prints can be read: the line that failed, and why, as Python prints a traceback."""

import re
import subprocess
import sys

import pytest

from support.places import SERVICE

FAILING = """
from dataclasses import dataclass

import pytest

from app.core.cqrs import BaseCommandHandler, BaseEventHandler, DomainEvent, ICommand
from app.core.cqrs.testing import MemoryBus
from app.core.logging import configure_logging


@dataclass(frozen=True)
class Divide(ICommand[int]):
    by: int


class DivideHandler(BaseCommandHandler[Divide, int]):
    async def _handle(self, command: Divide) -> int:
        return shared_out(command.by)


def shared_out(by: int) -> int:
    return 10 // by


def test_sync() -> None:
    shared_out(0)


async def test_async() -> None:
    shared_out(0)


@pytest.mark.parametrize("json", [None, False])
async def test_result(json: bool | None) -> None:
    if json is not None:
        configure_logging(json=json)
    bus = MemoryBus()
    bus.register_command_handler(Divide, DivideHandler)
    result = await bus.execute_command(Divide(0))
    assert result.is_success


async def test_unwrapped() -> None:
    bus = MemoryBus()
    bus.register_command_handler(Divide, DivideHandler)
    assert (await bus.execute_command(Divide(0))).unwrap() == 1
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest says of each test above."""
    file = tmp_path_factory.mktemp("failing") / "test_failing.py"
    file.write_text(FAILING)
    options = ("-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", str(SERVICE / "pyproject.toml"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(SERVICE), str(file)],
        cwd=SERVICE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "5 failed" in done.stdout, done.stdout + done.stderr
    _, *parts = re.split(r"^_+ (test_\S+) _+$", done.stdout.partition(" short test summary ")[0], flags=re.MULTILINE)
    names = [name.replace("asyncio-", "").replace("[asyncio]", "") for name in parts[::2]]
    return dict(zip(names, parts[1::2], strict=True))


@pytest.mark.parametrize(
    "test", ["test_sync", "test_async", "test_result[None]", "test_result[False]", "test_unwrapped"]
)
def test_the_cause_stands_on_lines_of_its_own(printed: dict[str, str], test: str) -> None:
    lines = [line.strip().removeprefix("E   ").removeprefix(">").strip() for line in printed[test].splitlines()]
    assert "return 10 // by" in lines
    assert any(line.startswith("ZeroDivisionError: ") for line in lines)
    assert max(map(len, lines)) < 400, max(lines, key=len)


@pytest.mark.parametrize("test", ["test_result[None]", "test_result[False]", "test_unwrapped"])
def test_the_cause_is_told_once(printed: dict[str, str], test: str) -> None:
    assert printed[test].count("ZeroDivisionError: ") == 1
