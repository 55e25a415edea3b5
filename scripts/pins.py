"""The exact versions of a service after a merge: the template's, and the team's where they are newer or for more."""

import re
import subprocess
import sys
from pathlib import Path

from scripts.service import Service

UV = str(Path(sys.executable).with_name("uv"))
PIN = re.compile(r"([\w.-]+)==([\w.]+)(.*)")


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
    versions = {_place(line): line for line in ours}
    packages = {_place(line)[0] for line in theirs}
    shared = [max(line, versions.get(_place(line), line), key=_version) for line in theirs]
    return shared, [line for place, line in versions.items() if place[0] not in packages]


def _place(line: str) -> tuple[str, str]:
    """A package, and the systems that the line is for."""
    found = PIN.fullmatch(line)
    return (found[1], found[3]) if found else (line, "")


def _version(line: str) -> list[int]:
    found = PIN.fullmatch(line)
    return [int(number) for number in re.findall(r"\d+", found[2])] if found else []
