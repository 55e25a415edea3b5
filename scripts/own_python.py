"""Copies the Python that runs this, as far as a service needs it: neither its packages nor its tests."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "__pycache__"}
EXECUTABLE = Path(f"bin/python{sys.version_info.major}.{sys.version_info.minor}")


def copy_own_python(into: Path) -> Path:
    """Copy it to this folder, as `bin/` and `lib/`. It finds its library from there.

    Returns:
        The executable.
    """
    prefix = Path(sys.base_prefix)
    (into / "bin").mkdir(parents=True)
    shutil.copy2((prefix / EXECUTABLE).resolve(), into / EXECUTABLE)
    library = Path("lib", EXECUTABLE.name)
    shutil.copytree(prefix / library, into / library, ignore=_left_out, symlinks=True)
    for shared in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(shared, into / "lib", follow_symlinks=False)
    (into / library / "site-packages").mkdir()
    return into / EXECUTABLE


def _left_out(_: str, names: Iterable[str]) -> set[str]:
    return {name for name in names if name in LEFT_OUT or name.startswith("config-")}
