"""What the rounds of one case say."""

from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.dispatch.case import Case
from benchmarks.dispatch.lines import Line


@dataclass
class Figures:
    """Nanoseconds for each message, and their ratio to the floor of the same round."""

    line: Line
    who: str
    note: str = ""
    comparable: bool = True
    nanoseconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, case: Case) -> "Figures":
        """Nothing measured yet."""
        return cls(case.line, case.who, case.note, case.comparable)

    def add(self, nanoseconds: float, floor: float) -> None:
        """One round."""
        self.nanoseconds.append(nanoseconds)
        self.ratios.append(nanoseconds / floor)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)

    @property
    def ns(self) -> float:
        """The median of the rounds' nanoseconds."""
        return median(self.nanoseconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The ratios that a tenth of the rounds stay below, and a tenth exceed."""
        return _tenths(self.ratios)

    @property
    def ns_spread(self) -> tuple[float, float]:
        """The same of the nanoseconds."""
        return _tenths(self.nanoseconds)


def _tenths(values: list[float]) -> tuple[float, float]:
    tenths = quantiles(values, n=10) if len(values) > 1 else values * 9
    return tenths[0], tenths[8]
