"""Each mutation has its place in the service; a place is found by structure, and only there something changes."""

from collections import Counter
from pathlib import Path

import pytest

from mutations.__main__ import PROOFS, Bench, Outcome
from mutations.breaking import Mutation, break_it, places_of
from mutations.every import MUTATIONS, misplaced
from support.places import SERVICE

SOURCE = """
# A shop.
LIMITS = {"apples": 3}

class Shop:
    @cached
    @counted
    def price(self, fruit):
        if fruit not in LIMITS:  # unknown
            raise ValueError("No.")
        elif self.closed:
            log("ä")
        return rounded(sum(
            fruit.price, fruit.tax,
            fruit.tip))

def stock(shop):
    log("a")
    return 1
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A service of one file."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "shop.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def test_every_mutation_still_has_something_to_change() -> None:
    assert misplaced(MUTATIONS, SERVICE) == []


def test_a_bench_is_whole_again_for_the_next_mutation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, seen = Bench(tmp_path), []

    def changed() -> list[Path]:
        files = [file.relative_to(SERVICE) for file in (SERVICE / "app").rglob("*.py")]
        return [file for file in files if (bench.service / file).read_bytes() != (SERVICE / file).read_bytes()]

    def look(mutation: Mutation) -> Outcome:
        seen.append(changed())
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "_tested", look)
    with pytest.raises(KeyboardInterrupt):
        bench.tried(MUTATIONS[0])
    assert [len(files) for files in seen] == [1]
    assert changed() == []


def test_every_mutation_has_a_name_and_tests_of_its_own() -> None:
    assert [name for name, times in Counter(one.name for one in MUTATIONS).items() if times > 1] == []
    files = {one.tests.partition("::")[0] for one in MUTATIONS}
    assert [
        file for file in files if not ((PROOFS.parent if file.startswith("proofs/") else SERVICE) / file).exists()
    ] == []


@pytest.mark.parametrize(
    ("where", "old", "new", "before", "after"),
    [
        ("Shop.price", "fruit.tax", "0", "fruit.tax", "(0)"),
        (
            "price",
            "fruit.price, fruit.tax, fruit.tip",
            "fruit.price",
            "\n            fruit.price, fruit.tax,\n            fruit.tip",
            "\n            fruit.price",
        ),
        (
            "price",
            "fruit.tax, fruit.tip",
            "fruit.tip, fruit.tax",
            "fruit.tax,\n            fruit.tip",
            "fruit.tip, fruit.tax",
        ),
        ("shop.Shop.price", "if fruit not in LIMITS:", "if False:", "fruit not in LIMITS:", "(False):"),
        ("price", "raise ValueError('No.')", "pass", 'raise ValueError("No.")', "pass"),
        ("price", "log('ä')", "", 'log("ä")', "(None)"),
        (
            "price",
            "if self.closed:\n  log('ä')",
            "log(1)\nlog(2)",
            'elif self.closed:\n            log("ä")',
            "else:\n            log(1)\n            log(2)",
        ),
        ("price", "@cached", "", "@cached", ""),
        ("stock", "log('a')\nreturn 1", "return 2", 'log("a")\n    return 1', "return 2"),
        ("LIMITS", "3", "4", "3}", "(4)}"),
    ],
)
def test_only_the_fragment_changes(service: Path, where: str, old: str, new: str, before: str, after: str) -> None:
    break_it(Mutation("", where, old, new, ""), service, service)
    assert SOURCE.count(before) == 1
    assert (service / "app" / "shop.py").read_text(encoding="utf-8") == SOURCE.replace(before, after)


@pytest.mark.parametrize(
    ("where", "old", "times"),
    [
        ("price", "fruit.size", 0),
        ("price", "fruit", 4),
        ("rice", "fruit.tax", 0),
        ("Shop", "fruit.tax", 1),
        ("stock", "fruit.tax", 0),
        ("shop", "log", 2),
    ],
)
def test_a_place_is_an_expression_inside_of_a_definition(service: Path, where: str, old: str, times: int) -> None:
    mutation = Mutation("it", where, old, "None", "")
    assert len(places_of(mutation, service)) == times
    assert (misplaced([mutation], service) == []) is (times == 1)


def test_neither_layout_nor_file_counts(service: Path) -> None:
    moved = service / "app" / "market" / "fruit.py"
    moved.parent.mkdir()
    (service / "app" / "shop.py").rename(moved)
    moved.write_text(SOURCE.replace("rounded(sum(", "rounded(  # half up\n sum("), encoding="utf-8")
    break_it(Mutation("", "Shop.price", "sum(fruit.price, fruit.tax, fruit.tip)", "0", ""), service, service)
    assert "rounded(  # half up\n (0))" in moved.read_text(encoding="utf-8")
