"""The exact versions of a service after a merge: the template's, and the team's where they are newer or for more."""

import re
import subprocess
import sys
from pathlib import Path

from scripts.service import Service

UV = str(Path(sys.executable).with_name("uv"))
PIN = re.compile(r"([\w.-]+)==([^\s;]+)(.*)")
KINDS = ("dev", "a", "b", "rc", "", "post")  # of a version, the oldest first


def settle_pins(service: Service, rendered: Path, python: str) -> str:
    """Complete `constraints.txt` by what the team has renewed or added; why not, if no set of versions fits.

    The newer version of the template's and the team's is kept where it fits, and the team's of what only it has.

    Args:
        service: after the merge, with the template's `constraints.txt`.
        rendered: the service as the template makes it.
        python: the oldest Python that the service runs on, such as `3.11`.
    """
    theirs = (rendered / "constraints.txt").read_text().splitlines()
    shared, added = newest(service.git("show", "HEAD:./constraints.txt").splitlines(), theirs)
    same = (service.folder / "pyproject.toml").read_bytes() == (rendered / "pyproject.toml").read_bytes()
    if same and shared == theirs:
        return ""
    pins = service.folder / "constraints.txt"
    pins.write_text("".join(f"{line}\n" for line in (*shared, *added)), encoding="utf-8")
    words = "pip compile pyproject.toml --group dev --universal --quiet --no-emit-index-url --no-header --no-annotate"
    command = [UV, *words.split(), "--python-version", python, "--output-file", "constraints.txt"]
    done = subprocess.run(command, cwd=service.folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"No set of versions fits what pyproject.toml asks for: {done.stderr.strip()}"
    service.git("add", "constraints.txt")
    print("The pins have the template's versions, and yours where they are newer or only you depend on it.")
    return ""


def newest(ours: list[str], theirs: list[str]) -> tuple[list[str], list[str]]:
    """The newer pin of each package that the template has, and the team's of the others.

    Args:
        ours: the lines of the team.
        theirs: the lines of the template.
    """
    team, known = _packages(ours), _packages(theirs)
    shared = [pin for name, pins in known.items() for pin in _lines(name, _newer(team.get(name, pins), pins))]
    return shared, [pin for name, pins in team.items() if name not in known for pin in _lines(name, pins)]


def _packages(lines: list[str]) -> dict[str, dict[str, str]]:
    """The packages, each with the systems that its pins are for and their versions; another line is a package, too."""
    packages: dict[str, dict[str, str]] = {}
    for line in lines:
        name, version, systems = found.groups() if (found := PIN.fullmatch(line)) else (line, "", "")
        packages.setdefault(name, {})[systems] = version
    return packages


def _lines(name: str, pins: dict[str, str]) -> list[str]:
    return [f"{name}=={version}{systems}" if version else name for systems, version in pins.items()]


def _newer(ours: dict[str, str], theirs: dict[str, str]) -> dict[str, str]:
    """The newer version for each of the systems, which are told apart as by the side that tells more of them apart."""
    finer, other = (ours, theirs) if len(ours) > len(theirs) else (theirs, ours)
    oldest = min(other.values(), key=_order)
    return {systems: max(one, other.get(systems, oldest), key=_order) for systems, one in finer.items()}


def _order(version: str) -> tuple[int, list[int], int, int]:
    """What versions are compared by: `1.0rc1` is older than `1.0`, which is as old as `1.0.0`."""
    found = re.match(r"(?:(\d+)!)?([\d.]*)([a-z]*)(\d*)", version)
    epoch, release, kind, number = found.groups() if found else ("", "", "", "")
    numbers = [int(one) for one in re.sub(r"(\.0+)*\.?$", "", release).split(".") if one]
    return int(epoch or 0), numbers, KINDS.index(kind) if kind in KINDS else 0, int(number or 0)
