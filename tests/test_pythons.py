"""A service passes its own checks on each Python that it promises and that is installed."""

import sys

import pytest

from scripts.bake import ROOT, hook
from tests.support import MOST, Bake, run

NEWER = hook("pre_gen_project")["CHOICES"]["python_version"][1:]


@pytest.mark.weekly  # for each change: all on the oldest, and types for the newest
@pytest.mark.parametrize("version", NEWER)
def test_its_whole_check_passes_on_each_newer_python(version: str, bake: Bake) -> None:
    found = run(sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", version, cwd=ROOT)
    if found.returncode:
        pytest.skip(f"Python {version} is not on the PATH, so nothing was tested on it.")
    checked = bake(**MOST).make("check", f"PYTHON={found.stdout.strip()}")
    assert checked.returncode == 0, (checked.stdout + checked.stderr)[-8000:]
