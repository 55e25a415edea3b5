"""Which bars hold, and whether a peer is ahead where both do the same work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.dispatch.figures import Figures
from benchmarks.dispatch.lines import BARS, OURS, Bar, Line


@dataclass(frozen=True)
class Verdict:
    """One sentence, and whether it is good news."""

    ok: bool
    text: str


def on_bars(figures: Sequence[Figures]) -> list[Verdict]:
    """Our bus against every bar whose line was measured."""
    ours = {each.line: each for each in figures if each.who == OURS}
    return [_on_bar(bar, ours) for bar in BARS if bar.line in ours]


def _on_bar(bar: Bar, ours: Mapping[Line, Figures]) -> Verdict:
    cost, name = ours[bar.line].ratio, str(bar.line)
    if bar.beyond is not None:
        cost, name = cost - ours[bar.beyond].ratio, f"{name}, beyond {bar.beyond}"
    aim = "" if bar.aim is None else f" (aim {bar.aim:g}: {'reached' if cost <= bar.aim else 'not reached'})"
    return Verdict(cost <= bar.at_most, f"{name}: {cost:.2f} {bar.unit}, bar {bar.at_most:g}{aim}")


def on_peers(figures: Sequence[Figures]) -> list[Verdict]:
    """Our bus against the quickest peer of every line that a peer is on too."""
    verdicts = []
    for line in Line:
        here = [each for each in figures if each.line is line]
        ours = next((each for each in here if each.who == OURS), None)
        peers = [each for each in here if each.who != OURS and each.comparable]
        if ours is not None and peers:
            verdicts.append(_on_line(line, ours, peers))
    return verdicts


def _on_line(line: Line, ours: Figures, peers: Sequence[Figures]) -> Verdict:
    best = min(peers, key=lambda each: each.ratio)
    ok = ours.ratio < best.ratio
    compared = f"{ours.ratio:.2f} floors, {best.who} {best.ratio:.2f}"
    return Verdict(ok, f"{line}: {'ahead of' if ok else 'behind the first of'} {len(peers)}: {compared}")
