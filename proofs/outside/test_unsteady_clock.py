"""The clocks of `make unsteady` are set back by some milliseconds, and by no more."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("unsteady_clock.c")
STEPS = """
import json, time
read = {}
for name in ("time", "monotonic"):
    moments = [getattr(time, name)() for _ in range(10_000)]
    read[name] = [before - after for before, after in zip(moments, moments[1:]) if after < before]
print(json.dumps(read))
"""


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler")
def test_clocks_are_set_back_by_less_than_ten_milliseconds(tmp_path: Path) -> None:
    library = tmp_path / "unsteady_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    told = subprocess.run(
        [sys.executable, "-c", STEPS], env={"LD_PRELOAD": str(library)}, capture_output=True, text=True, check=True
    )
    for steps in json.loads(told.stdout).values():
        assert len(steps) > 1000
        assert 0.005 < max(steps) < 0.015  # the machine may take some, too
