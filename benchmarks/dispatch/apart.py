"""Peers that need an environment of their own: the same rounds in a child process, taken in turns with ours.

The child (`python -m benchmarks.dispatch.apart`) prepares its cases, says so, runs one round for every line it reads,
says so, and at the end of its input tells its figures. It has a floor of its own beside every case.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.dispatch.figures import Figures
from benchmarks.dispatch.lines import Line
from benchmarks.dispatch.measure import Session
from benchmarks.dispatch.peers import APART, find
from benchmarks.dispatch.prepare import prepared

DONE = "done"


class Apart:
    """The parent's side: a session like any other, run by another interpreter."""

    def __init__(self, python: Path) -> None:
        self._python = python
        self._child: Process | None = None
        self.does: dict[str, str] = {}
        self.missing: dict[str, str] = {}

    async def prepare(self) -> None:
        """Start the child and wait until it is ready."""
        # Its figures may be one long line.
        self._child = await asyncio.create_subprocess_exec(
            str(self._python), "-m", __name__, stdin=PIPE, stdout=PIPE, limit=2**24
        )
        await self._hear()

    async def run_round(self) -> None:
        """Let the child run one round while nothing is measured here."""
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.write(b"\n")
            await self._child.stdin.drain()
            await self._hear()

    async def finish(self) -> list[Figures]:
        """What the child's rounds said."""
        if self._child is None or self._child.stdin is None:
            return []
        self._child.stdin.close()
        told = json.loads(await self._hear())
        await self._child.wait()
        self.does, self.missing = told["does"], told["missing"]
        return [_figures(each) for each in told["figures"]]

    async def _hear(self) -> str:
        assert self._child is not None and self._child.stdout is not None, "prepare() starts the child"
        heard = await self._child.stdout.readline()
        if not heard:
            raise RuntimeError(f"The peers in {self._python} stopped; what they said is above.")
        return heard.decode()


def _figures(told: dict[str, Any]) -> Figures:
    who = "floor, apart" if told["who"] == "floor" else told["who"]
    return Figures(**told | {"line": Line(told["line"]), "who": who})


async def _serve() -> None:
    parent = sys.stdout
    # What a peer prints must not be taken for an answer.
    sys.stdout = sys.stderr
    async with AsyncExitStack() as stack:
        found = await find(APART, stack)
        session = Session(prepared(found.cases))
        await session.prepare()
        print(DONE, file=parent, flush=True)
        for _ in sys.stdin:
            await session.run_round()
            print(DONE, file=parent, flush=True)
        figures = [asdict(each) for each in await session.finish()]
        print(json.dumps({"figures": figures, "does": found.does, "missing": found.missing}), file=parent, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
