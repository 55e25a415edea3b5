"""What the tests share: a baked service, and the hooks' own tables."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bake import ROOT


@dataclass(frozen=True)
class BakedProject:
    """A service fresh from the template."""

    path: Path

    def files(self) -> dict[str, bytes]:
        """Every file and its bytes, git's own left out."""
        paths = (path for path in self.path.rglob("*") if path.is_file())
        names = {path.relative_to(self.path).as_posix(): path for path in paths}
        return {name: path.read_bytes() for name, path in sorted(names.items()) if not name.startswith(".git/")}

    def text(self, name: str) -> str:
        """One file's text."""
        return (self.path / name).read_text(encoding="utf-8")

    def project(self) -> dict[str, Any]:
        """The `project` table of pyproject.toml."""
        project: dict[str, Any] = tomllib.loads(self.text("pyproject.toml"))["project"]
        return project

    def installed(self, into: Path) -> Path:
        """Install it into a folder of its own, without what it depends on; the folder."""
        tools = ("--python", sys.executable, "--target", str(into))
        done = run(
            sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", *tools, str(self.path), cwd=into
        )
        assert done.returncode == 0, done.stderr
        return into

    def make(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run some of the service's own words, as from a fresh terminal but for these variables."""
        return run("make", *words, cwd=self.path, **environment)


Bake = Callable[..., BakedProject]

MOST = {"broker": "kafka", "cache": "redis", "telemetry": "full", "deployment": "kubernetes"}
"""Answers that give the most to a service.

Of the brokers it is Kafka, whose tests need no server. The tests of the others are run in place, where all are present.
"""


def run(*command: str, cwd: Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment() | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """The environment as in a fresh terminal, without what `make` hands on: its flags and the variables given to it."""
    given = {word.partition("=")[0] for word in os.environ.get("MAKEFLAGS", "").split() if "=" in word}
    outer = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "PYTHONPYCACHEPREFIX", *given}
    return {name: value for name, value in os.environ.items() if name not in outer}


def questions() -> dict[str, Any]:
    """cookiecutter.json."""
    contents: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    return contents
