"""The outcome, as a table to read."""

from collections.abc import Sequence
from statistics import median, quantiles

from benchmarks.write.session import Endpoint


def passed(found: Sequence[Endpoint]) -> bool:
    """Whether every endpoint keeps its bar."""
    return all(_holds(endpoint, found[0]) for endpoint in found)


def table(found: Sequence[Endpoint], title: str) -> str:
    """Requests a second, the ratio to the floor of the same round, and the verdicts."""
    head = f"{'':36}{'req/s':>8}{'ratio':>8}   {'10th - 90th':15}{'bar':>5}{'us of CPU':>12}"
    rows = [_row(endpoint, found[0]) for endpoint in found]
    return "\n".join([title, "", head, *rows, "", "passed" if passed(found) else "FAILED"])


def _row(endpoint: Endpoint, floor: Endpoint) -> str:
    ratios = endpoint.ratios(floor)
    tenths = quantiles(ratios, n=10) if len(ratios) > 1 else ratios * 9
    spread = f"{tenths[0]:.2f} - {tenths[8]:.2f}"
    bar = "" if endpoint.bar is None else f"{endpoint.bar:g}"
    verdict = "" if endpoint.bar is None else "  pass" if _holds(endpoint, floor) else "  FAIL"
    figures = f"{median(endpoint.rates):8,.0f}{endpoint.ratio(floor):8.3f}   {spread:15}{bar:>5}"
    return f"{endpoint.name:36}{figures}{median(endpoint.cpu) * 1e6:12,.0f}{verdict}"


def _holds(endpoint: Endpoint, floor: Endpoint) -> bool:
    return endpoint.bar is None or endpoint.ratio(floor) >= endpoint.bar
