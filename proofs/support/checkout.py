"""A copy of the service with its docs and tests, in which `app new` may write."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from support.places import SERVICE

LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*cache*", ".hypothesis", ".venv", "*.db*")
UNFINISHED = shutil.ignore_patterns("*.pyc.*")  # bytecode that another process is writing
OUTER = ("PYTHONPATH", "PYTEST_ADDOPTS", "DATABASE_URL")


class Checkout:
    """A service in a folder of its own, on a database of its own."""

    def __init__(self, path: Path) -> None:
        shutil.copytree(SERVICE, path, ignore=LEFT_OUT)
        self.path = path
        compiled = sys.pycache_prefix and Path(sys.pycache_prefix)
        if compiled:  # it is as good for the copies, which have the same times of change
            here, there = (compiled / folder.relative_to(folder.anchor) for folder in (SERVICE, path))
            shutil.rmtree(there, ignore_errors=True)  # of an earlier run
            shutil.copytree(here, there, ignore=UNFINISHED, copy_function=os.link)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a module of Python in the service."""
        outer = {name: value for name, value in os.environ.items() if name not in OUTER}
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.path,
            env=outer | {"SERVICE_NAME": "app"},
            capture_output=True,
            text=True,
            check=False,
        )

    def app(self, line: str) -> str:
        """What a command of `app` that succeeds prints."""
        done = self.run("app", *line.split())
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, line: str) -> str:
        """The sentence of a command of `app` that fails."""
        done = self.run("app", *line.split())
        assert (done.returncode, done.stdout) == (1, ""), done.stdout + done.stderr
        return done.stderr.strip()

    def passes(self, said: str) -> None:
        """Run the tests that `app new` has named, once or several times."""
        named = " ".join(re.findall(r"^Test: make test ARGS='(.+)'$", said, re.MULTILINE)).split()
        assert named, said
        done = self.run("pytest", *dict.fromkeys(named), "-q", "-p", "no:cacheprovider", "-m", "not integration")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        assert re.search(r"\d+ passed", done.stdout)

    def files(self) -> dict[str, bytes]:
        """Every file and its bytes, without compiled code, the database and the secret, which the first start makes."""
        paths = [path for path in self.path.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        own = [path for path in paths if ".db" not in path.name and path.name != ".env"]
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in own}

    def folders(self) -> set[str]:
        """All folders, without those of compiled code."""
        found = {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_dir()}
        return {name for name in found if "__pycache__" not in name}
