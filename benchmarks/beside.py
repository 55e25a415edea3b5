"""Run a benchmark with this service and with that of another commit, and compare the two line by line.

Both run in turn, several times and in new processes, so that a busy moment of the machine hits both, and code lies in
another place of the memory each time. The benchmark and the packages are today's for both.
Exit with 1 when a line costs 3 % more than at the other commit.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from statistics import median

from benchmarks.costs import Costs
from scripts.bake import ROOT, SERVICE
from scripts.upgrades import releases

AT_MOST = 1.03
Turn = tuple[Costs, Costs]
"""What each line costs here, and at the other commit."""


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="how often each of both runs (5)")
    parser.add_argument("commit", help="a release, or what git calls the commit")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the benchmark, as a command that takes --costs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        there = _service_of(releases().get(options.commit, options.commit), Path(made))
        turns = []
        for number in range(options.turns):
            print(f"Turn {number + 1} of {options.turns}", file=sys.stderr, flush=True)
            turns.append(_turn(options.command, there, is_first=number % 2 == 0))
    return _compare(turns, options.commit)


def _turn(command: Sequence[str], there: Path, *, is_first: bool) -> Turn:
    """Run it with both; whoever is first may find the processor cooler, so each is that in every other turn."""
    if is_first:
        return _costs(command, ROOT / SERVICE), _costs(command, there)
    other = _costs(command, there)
    return _costs(command, ROOT / SERVICE), other


def _service_of(commit: str, folder: Path) -> Path:
    """The service as it was at this commit, in this folder."""
    packed = subprocess.run(["git", "archive", commit, SERVICE], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / SERVICE


def _costs(command: Sequence[str], service: Path) -> Costs:
    """What each line costs with this service: one run of the benchmark."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        ran = subprocess.run(
            [*command, "--costs", file.name],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(service)},
            capture_output=True,
            text=True,
            check=False,  # a bar that both miss is no difference between them
        )
        told = file.read()
    if not told:
        sys.exit(f"The benchmark did not come to its end:\n{ran.stdout}{ran.stderr}")
    costs: Costs = json.loads(told)
    return costs


def _compare(turns: Sequence[Turn], commit: str) -> int:
    """Print a table; 1 if a line is slower."""
    print(f"What each line costs, that at {commit} being 1: the median of {len(turns)} turns, and the extremes.\n")
    slower = [line for line in turns[0][0] if line in turns[0][1] and _is_slower(line, turns)]
    print(f"\n{'FAILED' if slower else f'No line costs {AT_MOST - 1:.0%} more.'}")
    return int(bool(slower))


def _is_slower(line: str, turns: Sequence[Turn]) -> bool:
    """Print a line, and say whether it is slower."""
    ratios = [here[line] / there[line] for here, there in turns]
    is_slower = median(ratios) > AT_MOST
    print(f"{line:68}{median(ratios):7.3f}   {min(ratios):.3f} - {max(ratios):.3f}{'  SLOWER' if is_slower else ''}")
    return is_slower


if __name__ == "__main__":
    sys.exit(main())
