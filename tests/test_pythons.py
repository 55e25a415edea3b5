"""A service passes its own checks on each Python that it promises and that is installed."""

import re
import sys

import pytest

from scripts.bake import ROOT, hook
from tests.support import MOST, Bake, run

PROMISED = hook("pre_gen_project")["CHOICES"]["python_version"]


def test_the_newest_and_all_are_those_that_are_promised() -> None:
    assert f"--python-version {PROMISED[-1]}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert re.findall(r"^ +(3\.\d+)$", workflow, re.MULTILINE) == [*reversed(PROMISED)]


@pytest.mark.weekly  # for each change: all on the oldest, and types for the newest
@pytest.mark.parametrize("version", PROMISED[1:])
def test_its_whole_check_passes_on_each_newer_python(version: str, bake: Bake) -> None:
    found = run(sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", version, cwd=ROOT)
    if found.returncode:
        pytest.skip(f"Python {version} is not on the PATH, so nothing was tested on it.")
    checked = bake(**MOST).make("check", f"PYTHON={found.stdout.strip()}")
    assert checked.returncode == 0, (checked.stdout + checked.stderr)[-8000:]
