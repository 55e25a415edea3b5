"""Measure what a dispatch costs beside its floor and its peers; exit with 1 when a bar is missed."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.costs import add_option, tell
from benchmarks.dispatch import ours, peers, shipped
from benchmarks.dispatch.apart import Apart
from benchmarks.dispatch.case import WrongCountError
from benchmarks.dispatch.figures import Figures
from benchmarks.dispatch.lines import OURS, Line
from benchmarks.dispatch.measure import Session
from benchmarks.dispatch.prepare import prepared
from benchmarks.dispatch.report import Report
from benchmarks.dispatch.retention import growth_of

RETAINING = {Line.PLAIN, Line.VALIDATED, Line.THREE, Line.EVENT, Line.SCOPE, Line.SLOW_DEADLINE, Line.SHIPPED}
QUICK = 15


def main() -> int:
    """Measure and print; the exit code."""
    options = _options()
    try:
        report = asyncio.run(_run(QUICK if options.quick else options.rounds, options))
    except WrongCountError as error:
        print(f"FAILED  {error}")
        return 1
    print(report.as_text())
    tell(options.costs, {str(each.line): each.ratio for each in report.figures if each.who == OURS})
    return 0 if report.passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dispatch", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how often every case is timed (50)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} rounds, for CI")
    parser.add_argument("--without-peers", action="store_true", help="our bus only")
    parser.add_argument("--apart", type=Path, metavar="PYTHON", help="the interpreter that has requirements-apart.txt")
    add_option(parser)
    return parser.parse_args()


async def _run(rounds: int, options: argparse.Namespace) -> Report:
    async with AsyncExitStack() as stack:
        cases = [*ours.cases(), *shipped.cases(stack)]
        retaining = [case for case in cases if case.line in RETAINING]
        found = await peers.find(() if options.without_peers else peers.HERE, stack)
        apart = None if options.without_peers or options.apart is None else Apart(options.apart)
        figures = await _measure([Session(prepared([*cases, *found.cases])), *([apart] if apart else [])], rounds)
        does, missing = {OURS: ours.DOES} | found.does, found.missing
        if apart is not None:
            does, missing = does | apart.does, missing | apart.missing
        elif not options.without_peers:
            missing |= dict.fromkeys(peers.APART, "its dependencies contradict ours: give --apart")
        return Report(rounds, figures, await growth_of(retaining), does, missing)


async def _measure(sessions: Sequence[Session | Apart], rounds: int) -> list[Figures]:
    for session in sessions:
        await session.prepare()
    for _ in range(rounds):
        for session in sessions:
            await session.run_round()
    return [figures for session in sessions for figures in await session.finish()]


if __name__ == "__main__":
    sys.exit(main())
