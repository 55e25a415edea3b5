"""What all tests rely on: no setting reaches them, and a server that is not there costs nothing and is told."""

import os
import re
import socket
import subprocess
import sys

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url

from tests.databases import SERVER
from tests.server import ROOT
from tests.surroundings import require_server, without_settings


class Depth(BaseSettings):
    """Settings as a feature adds them."""

    model_config = SettingsConfigDict(env_prefix="water_")

    depth: int = 1


@pytest.mark.parametrize("name", ["DATABASE_POOL_SIZE", "Log_Level", "WATER_DEPTH"])
def test_whatever_any_settings_read_is_taken_away_and_put_back(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "7")
    path = os.environ["PATH"]
    with without_settings():
        assert name not in os.environ
        assert os.environ["PATH"] == path
    assert os.environ[name] == "7"


def test_who_listens_is_required_in_vain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        require_server(f"http://127.0.0.1:{server.getsockname()[1]}", "nothing was tested")


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_where_nobody_listens_the_test_is_skipped_or_fails(
    required: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUIRE_SERVICES", required)
    with pytest.raises(outcome, match=r"^http does not answer on 127.0.0.1:9 \(.*refused\): nothing was tested\.$"):
        require_server("http://127.0.0.1:9", "nothing was tested")


@pytest.mark.integration
@pytest.mark.usefixtures("postgres_databases")
def test_a_server_that_lets_nobody_in_is_told_and_done_without() -> None:
    nobody = make_url(SERVER).set(username="nobody_here").render_as_string(hide_password=False)
    outer = {name: value for name, value in os.environ.items() if name not in ("REQUIRE_SERVICES", "PYTEST_ADDOPTS")}
    one = "tests/test_fixtures.py::test_every_test_has_a_database_in_which_nothing_happened_yet"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", one],
        cwd=ROOT,
        env=outer | {"TEST_POSTGRES_URL": nobody},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"^2 passed, 2 skipped", done.stdout, re.MULTILINE), done.stdout
    assert "cannot be used" in done.stdout and "TEST_POSTGRES_URL names another server or user." in done.stdout
