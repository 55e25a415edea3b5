"""The engine's own tests run when the engine is not as it was delivered; `tests/engine.sha256` says how that was.

Each line of that file is a digest and a path: of what a team runs but need not change, of the tests of that, and of the
exact versions that both were tested with. Without the file all tests run.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MANIFEST = "tests/engine.sha256"
WHEN_CHANGED, WITH, ALONE = "when-changed", "with", "alone"
STATE = pytest.StashKey["Engine"]()


class Engine:
    """What was delivered, and what is left of it.

    Args:
        service: the folder of the service.
    """

    def __init__(self, service: Path) -> None:
        manifest = service / MANIFEST
        lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else []
        self.changed = [
            path for digest, _, path in (line.partition("  ") for line in lines) if digest != sha256(service / path)
        ]
        files = [service / line.partition("  ")[2] for line in lines]
        self.tests = {file for file in files if file.name.startswith("test_")}


def sha256(file: Path) -> str:
    """The digest of a text, the same for all line endings; nothing if the file is gone."""
    if not file.exists():
        return ""
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make` choose."""
    text = f"whether the engine's own tests run: {WHEN_CHANGED}, {WITH} the others, or {ALONE}"
    parser.addoption("--engine", choices=[WHEN_CHANGED, WITH, ALONE], default=WHEN_CHANGED, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Decide once, also for the processes that share the work; tests that are named run in any case."""
    config.stash[STATE] = engine = Engine(ROOT)
    if told := getattr(config, "workerinput", None):
        config.option.engine = told["engine"]
        return
    if config.option.engine == WHEN_CHANGED and (_are_named(config) or engine.changed):
        config.option.engine = WITH


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process that shares the work: it sees the command line, and not what was decided."""
    node.workerinput["engine"] = node.config.option.engine


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files out."""
    if config.option.engine == WITH or not collection_path.name.startswith("test_"):
        return None
    is_of_engine = collection_path in config.stash[STATE].tests
    return True if is_of_engine is (config.option.engine == WHEN_CHANGED) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, or why it was not."""
    engine = config.stash[STATE]
    if engine.changed and config.option.engine == WITH and not _are_named(config):
        first, *others = engine.changed
        more = f" and {len(others)} more files are" if others else " is"
        terminalreporter.write_line(f"The engine's own tests ran too: {first}{more} not as delivered.")
    elif engine.tests and config.option.engine == WHEN_CHANGED:
        files = len(engine.tests)
        terminalreporter.write_line(
            f"The engine is as delivered, so its own {files} files of tests were left out: make engine"
        )


def _are_named(config: pytest.Config) -> bool:
    """Whether somebody asks for certain tests."""
    return bool(config.args != config.getini("testpaths"))
