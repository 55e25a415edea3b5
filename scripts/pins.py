"""The exact versions of a service after a merge: the template's, and those of what the team has added."""

import re
import subprocess
import sys
from pathlib import Path

from scripts.service import Service

UV = str(Path(sys.executable).with_name("uv"))
PIN = re.compile(r"^([\w.-]+)==")


def settle_pins(service: Service, rendered: Path, python: str) -> str:
    """Complete `constraints.txt` where the team depends on more than the template; why not, if no set of versions fits.

    The versions of the template are kept, and so are the team's for packages that only it has.

    Args:
        service: after the merge, with the template's `constraints.txt`.
        rendered: the service as the template makes it.
        python: the oldest Python that the service runs on, such as `3.11`.
    """
    ours, theirs = service.git("show", "HEAD:./constraints.txt"), (rendered / "constraints.txt").read_text()
    if (service.folder / "pyproject.toml").read_bytes() == (rendered / "pyproject.toml").read_bytes():
        return ""
    pinned = {_package(line) for line in theirs.splitlines()}
    added = [line for line in ours.splitlines() if _package(line) not in pinned]
    pins = service.folder / "constraints.txt"
    pins.write_text(theirs + "".join(f"{line}\n" for line in added), encoding="utf-8")
    words = "pip compile pyproject.toml --group dev --universal --quiet --no-emit-index-url --no-header --no-annotate"
    command = [UV, *words.split(), "--python-version", python, "--output-file", "constraints.txt"]
    done = subprocess.run(command, cwd=service.folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"No set of versions fits what pyproject.toml asks for: {done.stderr.strip()}"
    service.git("add", "constraints.txt")
    print("The pins have the template's versions, and yours of what only you depend on.")
    return ""


def _package(line: str) -> str | None:
    found = PIN.match(line)
    return found[1] if found else None
