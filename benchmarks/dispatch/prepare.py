"""What every set of cases gets before it is measured."""

from collections.abc import Iterable
from dataclasses import replace

from benchmarks.dispatch.case import Case
from benchmarks.dispatch.floor import floor, slow_floor
from benchmarks.dispatch.lines import Line

SLOW_LINES = {Line.SLOW, Line.SLOW_DEADLINE}


def prepared(cases: Iterable[Case]) -> list[Case]:
    """Each case beside its floor, and the plain ones once more with messages made inside the measured time."""
    plain, slow = floor(), slow_floor()
    beside = [case if case.floor else replace(case, floor=slow if case.line in SLOW_LINES else plain) for case in cases]
    # Some peers give every message an id and a time when it is made.
    fresh = [replace(case, line=Line.FRESH, is_fresh=True, note="") for case in beside if case.line is Line.PLAIN]
    return beside + fresh
