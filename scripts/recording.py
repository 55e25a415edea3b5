"""Record the first minute with a service: bake it by cookiecutter, start it, and store a user.

README.md shows the record.
`make recording` writes it into the README; with `--check` it is only measured.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.bake import ROOT
from scripts.demo import HOST, free_port, running, shortened, wait_until_ready
from scripts.story import CREATE, as_shell, send

PLACE = re.compile(r"(?<=<!-- The first minute, by `make recording` -->\n)```console\n.*?```\n", re.DOTALL)
COOKIECUTTER = str(Path(sys.executable).with_name("cookiecutter"))


def record(folder: Path) -> tuple[str, float]:
    """Do it in an empty folder; what a terminal would show, and the seconds from the first line to the stored user."""
    began = time.monotonic()
    words = [COOKIECUTTER, "--no-input", str(ROOT)]
    baked = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout
    is_baked = time.monotonic()
    port, log = free_port(), folder / "log"
    with log.open("w") as output, running(folder / "pizzeria", port, output) as process:
        wait_until_ready(process, f"http://{HOST}:{port}")
        is_ready = time.monotonic()
        answer = send(CREATE, f"http://{HOST}:{port}", {})
        is_stored = time.monotonic()
    lines = [
        "$ cookiecutter --no-input <this repository>",
        *(line for line in baked.splitlines() if line and "uncommitted" not in line),
        f"# after {is_baked - began:.1f} s",
        "$ cd pizzeria && make run",
        *(line.replace(str(port), "8000") for line in log.read_text().splitlines() if line.startswith("Starting on")),
        f"# ready after {is_ready - began:.1f} s; in another terminal:",
        f"$ {as_shell(CREATE, f'http://{HOST}:8000')}",
        json.dumps(shortened(answer)),
        f"# stored after {is_stored - began:.1f} s",
    ]
    return "".join(f"{line}\n" for line in lines), is_stored - began


def main() -> None:
    """Record, and write the record into the README."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if it takes longer than --seconds"
    )
    parser.add_argument("--seconds", type=float, default=20, help="how long it may take (20)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, seconds = record(Path(folder))
    print(text, end="")
    if arguments.check:
        sys.exit(seconds > arguments.seconds)
    readme = ROOT / "README.md"
    shown, found = PLACE.subn(lambda _: f"```console\n{text}```\n", readme.read_text(encoding="utf-8"))
    if not found:
        sys.exit("README.md has no place for the record.")
    readme.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
