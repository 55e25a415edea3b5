"""Imports point down: the rule holds, and each of its contracts is seen to fail where it is violated."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[1]
CONTRACTS = [
    contract["name"]
    for contract in tomllib.loads((SERVICE / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]
VIOLATIONS = [
    ("Imports point down", "app/domain/bad.py", "import app.handlers"),
    ("Imports point down", "app/persistence/bad.py", "import app.api"),
    ("Imports point down", "app/handlers/bad.py", "import app.adapters"),
    ("Imports point down", "app/api/bad.py", "import app.main"),
    ("Imports point down", "app/core/cqrs/bad.py", "import app.domain"),
    ("Imports point down", "app/core/cqrs/bad.py", "import app.core.config"),
    ("Imports point down", "app/core/discovery.py", "import app.core.container"),
    ("Imports point down", "app/stray.py", ""),
    ("Nothing else lives in the core", "app/core/stray.py", ""),
    ("The bus and the domain know no framework", "app/core/cqrs/bad.py", "import sqlalchemy"),
    ("The bus and the domain know no framework", "app/domain/bad.py", "from fastapi import Request"),
]


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A copy of the service that a test may spoil."""
    shutil.copytree(SERVICE / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SERVICE / "pyproject.toml", tmp_path)
    return tmp_path


def lint(service: Path) -> tuple[int, str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    process = subprocess.run(command, cwd=service, capture_output=True, text=True)
    return process.returncode, process.stdout + process.stderr


def test_imports_point_down(service: Path) -> None:
    code, said = lint(service)
    assert code == 0, said
    assert all(f"{contract} KEPT" in said for contract in CONTRACTS), said


@pytest.mark.parametrize(("contract", "file", "line"), VIOLATIONS)
def test_a_contract_fails_where_it_is_violated(service: Path, contract: str, file: str, line: str) -> None:
    spoiled = service / file
    before = spoiled.read_text() if spoiled.exists() else ""
    spoiled.write_text(f"{before}\n{line}\n")
    code, said = lint(service)
    assert code == 1, said
    assert f"{contract} BROKEN" in said, said


def test_each_contract_is_violated_above() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)
