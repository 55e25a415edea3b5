"""Does a test notice when a parameter is taken and ignored? `make mutation` asks for each mutation.

A mutation takes the effect of one parameter, or of one fact about the service, out of a copy of it. One that no test
notices, or whose place is not found, makes this fail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from mutations.breaking import Mutation, break_it
from mutations.every import MUTATIONS, misplaced
from support.places import SERVICE

PROOFS = Path(__file__).parents[1]
COMPILED = shutil.ignore_patterns("__pycache__")
AT_A_TIME = 2
LONGEST_SECONDS = 120
"""Of the tests of one mutation: a test that would wait for ever has noticed it."""


class Outcome(NamedTuple):
    """What the tests said to a mutation."""

    mutation: Mutation
    caught_by: str | None
    trouble: str = ""
    """What was printed in place of results, where the tests did not even run."""


class Bench:
    """A copy of the service, as much as the tests need, and one of the proofs.

    It is used for one mutation after the other, so that what they leave unchanged is compiled once.
    """

    def __init__(self, folder: Path) -> None:
        self.service, self.proofs = folder / "service", folder / "proofs"
        for part in ("app", "tests"):
            shutil.copytree(SERVICE / part, self.service / part, ignore=COMPILED)
        shutil.copy2(SERVICE / "pyproject.toml", self.service)
        shutil.copytree(PROOFS, self.proofs, ignore=COMPILED)

    def tried(self, mutation: Mutation) -> Outcome:
        """Run the tests on the mutated copy; the name of the first that fails, if one does."""
        changed = break_it(mutation, SERVICE, self.service)
        try:
            return self._tested(mutation)
        finally:
            shutil.copy2(SERVICE / changed, self.service / changed)

    def _tested(self, mutation: Mutation) -> Outcome:
        options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-c", "pyproject.toml", "--rootdir=.."]
        tests = f"../{mutation.tests}" if mutation.tests.startswith("proofs/") else mutation.tests
        outer = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
        try:
            process = subprocess.run(
                [sys.executable, "-m", "pytest", *options, tests],
                cwd=self.service,
                env=outer | {"PYTHONPATH": os.pathsep.join(map(str, (self.service, self.proofs)))},
                capture_output=True,
                text=True,
                timeout=LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Outcome(mutation, f"no end within {LONGEST_SECONDS} s")
        failed = [line for line in process.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if process.returncode not in (0, 1):
            return Outcome(mutation, None, process.stdout + process.stderr)
        return Outcome(mutation, failed[0].split(" - ")[0].rsplit("::", 1)[-1] if failed else None)


def outcomes(mutations: list[Mutation]) -> Iterator[Outcome]:
    """Try mutations, some at a time."""
    free: SimpleQueue[Bench] = SimpleQueue()

    def tried(mutation: Mutation) -> Outcome:
        bench = free.get()
        try:
            return bench.tried(mutation)
        finally:
            free.put(bench)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_A_TIME) as pool:
        for number in range(AT_A_TIME):
            free.put(Bench(Path(folder, str(number))))
        yield from pool.map(tried, mutations)


def main(wanted: str = "") -> int:
    """Try all mutations, or those whose name has `wanted` in it, and print what caught each."""
    chosen = [mutation for mutation in MUTATIONS if wanted in mutation.name]
    if wrong := misplaced(chosen, SERVICE):
        sys.exit("\n".join(wrong))
    width = max(len(mutation.name) for mutation in chosen)
    survivors = 0
    for outcome in outcomes(chosen):
        survivors += outcome.caught_by is None
        told = f"THE TESTS DID NOT RUN\n{outcome.trouble}" if outcome.trouble else "NOBODY NOTICED"
        print(f"{outcome.mutation.name:{width}}  {outcome.caught_by or told}", flush=True)  # noqa: T201
    print(f"{len(chosen)} mutations, {survivors} that nobody noticed.")  # noqa: T201
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
