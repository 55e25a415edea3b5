"""The engine's own tests are left out of a service's `make test` until a file of the engine, or a pin, is changed."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE, hook
from tests.support import Bake, BakedProject, run

LEFT_OUT = r"^The engine is as delivered, so its own \d+ files of tests were left out: make engine$"
ENGINE, OWNED = hook("post_gen_project")["ENGINE"], hook("post_gen_project")["OWNED"]
FEW = ("-o", "testpaths=tests/composition")
"""In place of all tests, which take seconds to be collected: a folder that has some of both."""
Collect = Callable[..., str]


@pytest.fixture
def service(bake: Bake) -> BakedProject:
    """A service that a test may change."""
    return bake()


@pytest.fixture
def collect(service: BakedProject) -> Collect:
    """Says what pytest would run."""
    return lambda *options: (
        run(
            sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options, cwd=service.path
        ).stdout
    )


def files_in(collected: str) -> set[str]:
    """The files of the tests that were collected."""
    return set(re.findall(r"^(tests/\S+?)::", collected, re.MULTILINE))


def files_under(service: BakedProject, folder: str) -> set[str]:
    """All files of tests in a folder."""
    return {name for name in service.files() if re.fullmatch(rf"{folder}/(.+/)?test_\w+\.py", name)}


def test_what_is_listed_is_there(template: Path) -> None:
    service = template / SERVICE
    found = {pattern: [path.relative_to(service).as_posix() for path in service.glob(pattern)] for pattern in ENGINE}
    assert [pattern for pattern, names in found.items() if names == []] == []
    assert set(OWNED) <= {name for names in found.values() for name in names}


def test_digests_are_those_of_the_files(default: BakedProject) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "tests/engine.sha256"], cwd=default.path, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert not (ROOT / SERVICE / "tests" / "engine.sha256").exists(), "in place all tests run"


def test_as_delivered_only_the_owners_tests_run(service: BakedProject, collect: Collect) -> None:
    said = collect()
    assert re.search(LEFT_OUT, said, re.MULTILINE), said[-2000:]
    owners, engines = files_in(said), files_in(collect("--engine=alone"))
    assert {"tests/handlers/test_messages.py", "tests/composition/test_doors.py"} <= owners
    assert "tests/core/cqrs/test_bus.py" in engines
    assert owners & engines == set()
    assert owners | engines == files_under(service, "tests")


@pytest.mark.parametrize("test", ["", "::test_an_empty_secret_is_none_at_all"])
def test_what_is_named_runs(collect: Collect, test: str) -> None:
    assert files_in(collect(f"tests/core/test_config.py{test}")) == {"tests/core/test_config.py"}


@pytest.mark.parametrize(
    ("file", "ending"),
    [
        ("app/core/config.py", b"\n# ours\n"),
        ("tests/core/test_config.py", b"\n"),
        ("constraints.txt", b"six==1.17.0\n"),
    ],
)
def test_whatever_is_changed_brings_them_back(
    service: BakedProject, collect: Collect, file: str, ending: bytes
) -> None:
    with (service.path / file).open("ab") as text:
        text.write(ending)
    said = collect(*FEW)
    assert f"The engine's own tests ran too: {file} is not as delivered." in said
    assert files_in(said) == files_under(service, "tests/composition")


def test_processes_that_share_the_work_run_what_was_decided(service: BakedProject) -> None:
    folder = "tests/core/observability"

    def said() -> str:
        told = f"-n 1 -q -p no:cacheprovider --engine=when-changed -o testpaths={folder}".split()
        return run(sys.executable, "-m", "pytest", *told, "-m", "not integration", cwd=service.path).stdout

    assert re.search(LEFT_OUT, left_out := said(), re.MULTILINE), left_out
    assert "no tests ran" in left_out
    with (service.path / "app" / "core" / "generics.py").open("a") as code:
        code.write("# ours\n")
    assert re.search(r"^\d+ passed", said(), re.MULTILINE)


def test_a_file_that_is_gone_and_others_are_counted(service: BakedProject, collect: Collect) -> None:
    (service.path / "app" / "worker.py").unlink()
    (service.path / "tests" / "core" / "test_config.py").unlink()
    said = "app/worker.py and 1 more files are not as delivered."
    assert said in collect("-o", "testpaths=tests/test_fixtures.py")
    assert said not in collect("tests/test_fixtures.py"), "the engine's own were not asked for"


def test_neither_line_endings_nor_files_of_the_team_are_a_change(service: BakedProject, collect: Collect) -> None:
    text = service.path / "app" / "core" / "config.py"
    text.write_bytes(text.read_bytes().replace(b"\n", b"\r\n"))
    (service.path / "tests" / "composition" / "test_ours.py").write_text("def test_ours():\n    pass\n")
    said = collect(*FEW)
    assert re.search(LEFT_OUT, said, re.MULTILINE), said[-2000:]
    assert files_in(said) == {"tests/composition/test_doors.py", "tests/composition/test_ours.py"}


def test_make_says_which(service: BakedProject) -> None:
    words = {word: run("make", "--dry-run", word, cwd=service.path).stdout for word in ("test", "engine", "check")}
    found = {word: re.findall(r"--engine=(\S+)", printed) for word, printed in words.items()}
    assert found == {"test": ["when-changed"], "engine": ["alone"], "check": ["with"]}
