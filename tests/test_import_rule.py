"""The service keeps its import rule, and the rule notices each way of breaking it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bake import ROOT, SERVICE

DOWN = "Imports point down"
CORE = "Nothing else lives in the core"
NO_FRAMEWORK = "The bus and the domain know no framework"
NO_HTTP = "Handlers know no HTTP: they raise the errors of the bus, and serve every door"
APART = "Features talk through events, the bus or the database"


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A copy of the service's package and its rule, free to be spoiled."""
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / SERVICE / "app", tmp_path / "app", ignore=without_caches)
    shutil.copy(ROOT / SERVICE / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(service: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the copy."""
    script = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([script, "--no-cache"], cwd=service, capture_output=True, text=True, check=False)


def test_the_rule_is_kept(service: Path) -> None:
    answer = lint_imports(service)
    assert answer.returncode == 0, answer.stdout
    assert all(f"{contract} KEPT" in answer.stdout for contract in (DOWN, CORE, NO_FRAMEWORK, NO_HTTP, APART))


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("app/api/spoiled.py", "app.main", DOWN),
        ("app/dependencies.py", "app.api.errors", DOWN),
        ("app/core/spoiled.py", "json", CORE),
        ("app/handlers/user/spoiled.py", "app.composition.container", DOWN),
        ("app/adapters/spoiled.py", "app.handlers", DOWN),
        ("app/handlers/user/spoiled.py", "app.adapters", DOWN),
        ("app/persistence/spoiled.py", "app.handlers", DOWN),
        ("app/domain/spoiled.py", "app.persistence", DOWN),
        ("app/core/discovery.py", "app.domain", DOWN),
        ("app/core/cqrs/spoiled.py", "app.core.discovery", DOWN),
        ("app/core/cqrs/spoiled.py", "app.core.config", DOWN),
        ("app/unplanned.py", "json", DOWN),
        ("app/core/cqrs/spoiled.py", "fastapi", NO_FRAMEWORK),
        ("app/core/cqrs/spoiled.py", "sqlalchemy", NO_FRAMEWORK),
        ("app/domain/spoiled.py", "starlette", NO_FRAMEWORK),
        ("app/handlers/order/spoiled.py", "fastapi", NO_HTTP),
        ("app/persistence/spoiled.py", "starlette", NO_HTTP),
        ("app/handlers/order/spoiled.py", "app.handlers.user", APART),
        ("app/handlers/user/spoiled.py", "app.handlers.order", APART),
    ],
)
def test_the_rule_notices(module: str, imported: str, contract: str, service: Path) -> None:
    file = service / module
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as source:
        source.write(f"\nimport {imported}\n")

    answer = lint_imports(service)

    assert answer.returncode != 0
    assert f"{contract} BROKEN" in answer.stdout
