"""Each benchmark of the README measures what it names, with the smallest load; its bars are judged by `make bench`."""

import sys

import pytest

from scripts.bake import ROOT, SERVICE
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


FAKE = f"""
import os, sys
here = os.environ["PYTHONPATH"] == {str(ROOT / SERVICE)!r}
assert os.path.exists(os.environ["PYTHONPATH"] + "/app/core/cqrs/bus.py")
open(sys.argv[-1], "w").write('{{"a command": %s, "only here": 9}}' % COST if here else '{{"a command": 2.0}}')
"""


@pytest.mark.parametrize(
    ("cost", "failed", "said"), [("2.04", 0, "1.020"), ("1.0", 0, "No line costs 3% more."), ("2.1", 1, "SLOWER")]
)
def test_a_line_that_costs_more_than_at_another_commit_is_told(cost: str, failed: int, said: str) -> None:
    benchmark = (sys.executable, "-c", FAKE.replace("COST", cost))
    compared = run(sys.executable, "-m", "benchmarks.beside", "--turns", "2", "HEAD", *benchmark, cwd=ROOT)
    assert (compared.returncode, said in compared.stdout) == (failed, True), compared.stdout + compared.stderr
    assert "only here" not in compared.stdout


def test_a_benchmark_that_dies_is_no_result() -> None:
    dies = (sys.executable, "-c", "raise SystemExit('no server')")
    compared = run(sys.executable, "-m", "benchmarks.beside", "HEAD", *dies, cwd=ROOT)
    assert (compared.returncode, compared.stdout) == (1, "")
    assert "did not come to its end:\nno server" in compared.stderr


@pytest.mark.weekly
@pytest.mark.parametrize(
    ("what", "said"), [("dispatch", "an event to three handlers"), ("delivery", "an event to three reactions")]
)
def test_a_benchmark_is_compared_with_another_commit(what: str, said: str) -> None:
    bench = run("make", "bench", f"WHAT={what}", "BESIDE=HEAD", "TURNS=1", "ARGS=--quick", cwd=ROOT)
    assert said in bench.stdout, bench.stdout + bench.stderr
