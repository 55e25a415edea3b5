"""The outcome, as a table to read."""

from collections.abc import Sequence
from statistics import median, quantiles

from benchmarks.http.rounds import Endpoint


def passed(found: Sequence[Endpoint]) -> bool:
    """Whether every endpoint keeps its bar."""
    return all(endpoint.holds for endpoint in found)


def table(found: Sequence[Endpoint], title: str) -> str:
    """Requests a second, the ratio to the floor of the same round, and the verdicts."""
    head = f"{'':36}{'req/s':>8}{'ratio':>8}   {'10th - 90th':15}{'bar':>5}{'us of CPU':>12}"
    return "\n".join([title, "", head, *map(_row, found), "", "passed" if passed(found) else "FAILED"])


def _row(endpoint: Endpoint) -> str:
    ratios = endpoint.ratios
    tenths = quantiles(ratios, n=10) if len(ratios) > 1 else ratios * 9
    spread = f"{tenths[0]:.2f} - {tenths[8]:.2f}"
    bar = "" if endpoint.bar is None else f"{endpoint.bar:g}"
    verdict = "" if endpoint.bar is None else "  pass" if endpoint.holds else "  FAIL"
    figures = f"{median(endpoint.rates):8,.0f}{endpoint.ratio:8.3f}   {spread:15}{bar:>5}"
    return f"{endpoint.name:36}{figures}{median(endpoint.cpu) * 1e6:12,.0f}{verdict}"
