"""What is around the tests: environment variables that must not reach them, and servers that may not be there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

import pytest
from pydantic_settings import BaseSettings

from app.composition.wiring import found_providers
from app.core.config import all_settings

PATIENCE_SECONDS = 20.0


@contextmanager
def without_settings() -> Iterator[None]:
    """No variable of the environment is a setting."""
    found_providers()  # what the service is made of brings its settings along
    all_settings()
    names = {name.lower() for kind in _kinds(BaseSettings) for name in _variables(kind)}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.lower() in names]:
            monkeypatch.delenv(name)
        yield


def _kinds(kind: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _kinds(derived)


def _variables(kind: type[BaseSettings]) -> list[str]:
    return [f"{kind.model_config.get('env_prefix', '')}{name}" for name in kind.model_fields]


def require_server(url: str, otherwise: str) -> None:
    """Do without the test unless somebody listens at this address.

    Args:
        url: the address of the server, with its port.
        otherwise: what it means that the test did not run.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port
    assert port is not None, "say which port"
    if reason := why_nobody_listens(host, port):
        do_without(f"{parts.scheme} does not answer on {host}:{port} ({reason}): {otherwise}.")


@cache
def why_nobody_listens(host: str, port: int) -> str:
    """Empty if somebody does; found out once, because every test asks."""
    try:
        socket.create_connection((host, port), PATIENCE_SECONDS).close()
    except OSError as error:
        return str(error)
    return ""


def do_without(sentence: str) -> None:
    """Skip a test that needs a server, or fail it where servers are required."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)
