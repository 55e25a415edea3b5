"""Processes of the service that start quickly: what a service imports was imported once, before all of them."""

import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 90.0

# A process of its own, of which the others are forks: it imports what they need, and has neither threads nor tests.
forks = get_context("forkserver")
forks.set_forkserver_preload(["tests.imports"])


class Forked:
    """A process that does what an import has prepared; what it says is in a file.

    Args:
        target: a function of a module; it takes the words.
        log: the file for what it writes to standard error; it works in that folder.
        environment: all variables that it has.
        words: what it is called with.
    """

    def __init__(
        self, target: Callable[..., None], log: Path, environment: Mapping[str, str], words: tuple[str, ...] = ()
    ) -> None:
        self.log = log
        log.touch()
        self._process = forks.Process(target=_called, args=(target, log, dict(environment), words), daemon=True)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the first one starts what does the imports
            monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            self._process.start()

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.exitcode is not None

    def ends(self, number: int) -> int:
        """What it exits with after this signal; minus the signal if that is what ended it."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)
        return self.ended()

    def ended(self) -> int:
        """What it exits with, as soon as it does."""
        self._process.join(PATIENCE_SECONDS)
        assert self._process.exitcode is not None, f"It does not end: {self.log.read_text()}"
        return self._process.exitcode

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()


def _called(target: Callable[..., None], log: Path, environment: dict[str, str], words: tuple[str, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(log.parent)
    with log.open("w") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    target(*words)
