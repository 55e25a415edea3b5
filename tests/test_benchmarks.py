"""Each benchmark of the README measures what it names, with the smallest load; its bars are judged by `make bench`."""

import pytest

from scripts.bake import ROOT
from tests.deployed import postgres_database
from tests.support import run

LITTLE = "--rounds 1 --seconds 0.1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "load", "said"),
    [
        ("delivery", "--quick", "events/s with 3 reactions each"),
        ("write", LITTLE, "protected, idempotent"),
        ("read", LITTLE, "an order, through the bus"),
    ],
)
def test_a_benchmark_on_postgresql_is_complete(what: str, load: str, said: str) -> None:
    with postgres_database():  # the benchmark makes its own
        measured(what, load, said)


@pytest.mark.weekly
@pytest.mark.parametrize(
    ("what", "load", "said"),
    [("dispatch", "--rounds 2", "a command in a request scope with one dependency"), ("new", "--rounds 1", "slowest")],
)
def test_a_benchmark_is_complete(what: str, load: str, said: str) -> None:
    measured(what, load, said)


def measured(what: str, load: str, said: str) -> None:
    """Run the benchmark; it may miss its bars, but it has to come to its end."""
    bench = run("make", "bench", f"WHAT={what}", f"ARGS={load}", cwd=ROOT)
    assert "Traceback" not in bench.stderr, bench.stderr
    assert said in bench.stdout, bench.stdout + bench.stderr
