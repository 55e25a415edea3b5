"""What type checkers say to right and wrong uses of the bus: the comments in `uses.py.txt` tell.

A comment after `reveal_type(...)` is the type that is revealed; `# error: why` marks a line that has to be refused.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mypy.api
import pytest

from support.places import SERVICE

USES = (Path(__file__).parent / "uses.py.txt").read_text()

Said = tuple[dict[int, str], set[int]]
"""The revealed types by line, and the lines with an error."""


def wanted() -> Said:
    revealed, errors = {}, set()
    for number, line in enumerate(USES.splitlines(), 1):
        code, _, comment = line.partition("  # ")
        if "reveal_type(" in code:
            revealed[number] = comment
        elif comment.startswith("error: "):
            errors.add(number)
    return revealed, errors


def by_mypy(folder: Path) -> Said:
    cache = f"--cache-dir={SERVICE.parent / '.cache' / 'mypy-uses'}"
    printed, broken, _ = mypy.api.run(["--strict", "--config-file=", cache, str(folder / "uses.py")])
    assert not broken, broken
    revealed, errors = {}, set()
    for number, kind, text in re.findall(r"^uses\.py:(\d+): (note|error): (.*)$", printed, re.MULTILINE):
        if found := re.search(r'Revealed type is "(.*)"', text):
            revealed[int(number)] = short(found[1])
        elif kind == "error":
            errors.add(int(number))
    return revealed, errors


def by_pyright(folder: Path) -> Said:
    settings = {"include": ["uses.py"], "extraPaths": [str(SERVICE)], "typeCheckingMode": "standard"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if not process.stdout.startswith("{"):
        pytest.skip(f"pyright cannot run here: it could not get its Node.js.\n{process.stdout}{process.stderr}")
    revealed, errors = {}, set()
    for found in json.loads(process.stdout)["generalDiagnostics"]:
        number = found["range"]["start"]["line"] + 1
        if told := re.search(r'is "(.*)"$', found["message"]):
            revealed[number] = short(told[1])
        if found["severity"] == "error":
            errors.add(number)
    return {number: text for number, text in revealed.items() if number in wanted()[0]}, errors


def short(revealed: str) -> str:
    """The type without the modules of its parts."""
    return re.sub(r"[\w.]+\.(\w+)", r"\1", revealed)


@pytest.mark.parametrize("checker", [by_mypy, by_pyright])
def test_a_checker_reveals_the_right_types_and_refuses_the_wrong_uses(
    checker: Callable[[Path], Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uses.py").write_text(USES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYPYPATH", str(SERVICE))
    revealed, errors = checker(tmp_path)
    assert revealed == wanted()[0]
    assert errors == wanted()[1]
