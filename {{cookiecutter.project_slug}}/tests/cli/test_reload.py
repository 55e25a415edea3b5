"""`app run --reload` serves each change to the code, on the socket that it had."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.core.identity import APP
from tests.databases import ON_SQLITE
from tests.processes import PATIENCE_SECONDS
from tests.server import Server, environment_for, serving

ROUTE = """
from fastapi import APIRouter

router = APIRouter()


@router.get("/number")
async def number() -> int:
    return {}
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the package, which the test may change, with one more route."""
    copied = Path(shutil.copytree(APP, tmp_path / "code" / "app", ignore=shutil.ignore_patterns("__pycache__")))
    (copied / "api" / "routes" / "number.py").write_text(ROUTE.format(1))
    return copied


@pytest.fixture
def server(code: Path, database_url: str, tmp_path: Path) -> Iterator[Server]:
    variables = {"PYTHONPATH": str(code.parent), "ENVIRONMENT": "development"}
    with serving(tmp_path, environment_for(database_url) | variables, "--reload") as server:
        try:
            yield server
        finally:  # its child would outlive it, if it was killed
            server.process.terminate()
            server.process.wait(PATIENCE_SECONDS)


def number_of(server: Server) -> int | None:
    """What the route answers; None if the process ended that had accepted the connection."""
    try:
        answer = httpx2.get(f"{server.address}/number", timeout=PATIENCE_SECONDS)
    except (httpx2.RemoteProtocolError, httpx2.ReadError):
        return None
    return int(answer.text)


@ON_SQLITE
def test_a_change_is_served_from_the_same_socket(code: Path, server: Server) -> None:
    assert number_of(server) == 1
    until = time.monotonic() + PATIENCE_SECONDS
    (code / "api" / "routes" / "number.py").write_text(ROUTE.format(2))
    while number_of(server) != 2:
        assert time.monotonic() < until, server.log.read_text()
        time.sleep(0.05)
    server.process.terminate()
    assert server.process.wait(PATIENCE_SECONDS) == 0


def test_production_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"ENVIRONMENT": "production", "SECRET_KEY": "5vXh-9dRkq2LZtMbyW8sJf4uGnEoAiCp7xTrQwKzVlY"}
    for name, value in {**environment_for("postgresql://db/orders"), **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PASSWORD_TIME_COST", "3")
    monkeypatch.setenv("PASSWORD_MEMORY_KIB", "65536")
    result = CliRunner().invoke(app, ["run", "--reload", "--port", "0"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("--reload is for development")
