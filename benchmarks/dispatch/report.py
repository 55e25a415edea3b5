"""The outcome, as a table to read."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.dispatch.figures import Figures
from benchmarks.dispatch.lines import Line
from benchmarks.dispatch.retention import MESSAGES, Growth
from benchmarks.dispatch.verdict import Verdict, on_bars, on_peers


@dataclass(frozen=True)
class Report:
    """Everything one run found out."""

    rounds: int
    figures: Sequence[Figures]
    growths: Sequence[Growth]
    does: Mapping[str, str]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdicts(self) -> list[Verdict]:
        """All that is judged: bars, peers, and what messages leave behind."""
        return on_bars(self.figures) + on_peers(self.figures) + [_on_growth(each) for each in self.growths]

    @property
    def passed(self) -> bool:
        """Whether every verdict is good news."""
        return all(verdict.ok for verdict in self.verdicts)

    def as_text(self) -> str:
        """The table, what everybody does for the price, and the verdicts."""
        return "\n".join([*self._head(), *self._table(), *self._prices(), *self._conclusion()])

    def _head(self) -> list[str]:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        return [
            f"Dispatch, {python}, {self.rounds} rounds: the median, and in brackets the 10th to the 90th percentile.",
            "One floor is a direct call of the handler, timed just before each case. Every counter was checked.",
        ]

    def _table(self) -> list[str]:
        rows = []
        for line in Line:
            here = sorted((each for each in self.figures if each.line is line), key=lambda each: each.ratio)
            rows += ["", str(line), *(_row(each) for each in here)] if here else []
        return rows

    def _prices(self) -> list[str]:
        rows = ["", "What each does for the price"]
        rows += [f"  {who:18}{does}" for who, does in self.does.items()]
        rows += [f"  {who:18}not measured: {reason}" for who, reason in self.missing.items()]
        return rows

    def _conclusion(self) -> list[str]:
        rows = [f"  {'pass' if verdict.ok else 'FAIL'}  {verdict.text}" for verdict in self.verdicts]
        return ["", "Verdicts", *rows, "", "passed" if self.passed else "FAILED"]


def _on_growth(growth: Growth) -> Verdict:
    left = f"{growth.objects:+} objects and {growth.size:+} bytes left"
    return Verdict(growth.ok, f"{growth.case.line}: {left} after {MESSAGES:,} messages")


def _row(figures: Figures) -> str:
    low, high = figures.spread
    ns_low, ns_high = figures.ns_spread
    ratio = f"{figures.ratio:9.2f} x [{low:.2f} - {high:.2f}]"
    nanoseconds = f"{figures.ns:10,.0f} ns [{ns_low:,.0f} - {ns_high:,.0f}]"
    note = figures.note if figures.comparable else f"{figures.note}; does less, not judged"
    return f"  {figures.who:18}{ratio:34}{nanoseconds:36}{note}".rstrip()
