"""`app health` asks the server that is there, whatever that is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from tests.databases import ON_SQLITE
from tests.server import environment_for, serving

Reply = Callable[[BaseHTTPRequestHandler], None]


def ask(url: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["health", "--url", url, *options])


@contextmanager
def answering(reply: Reply) -> Iterator[str]:
    """The URL of a server that answers like this."""
    handler = type("Handler", (BaseHTTPRequestHandler,), {"do_GET": reply, "log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def saying(status: int, body: str) -> Reply:
    def reply(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.end_headers()
        request.wfile.write(body.encode())

    return reply


@ON_SQLITE
def test_a_service_that_is_ready(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, environment_for(database_url)) as server:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        for url in (server.address, f"{server.address}/"):
            result = ask(url, "--seconds", "90")
            assert (result.exit_code, result.stdout) == (0, "ready\n"), result.stderr


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, '{"detail": "The database does not answer."}', "The database does not answer"),
        (503, "<html>", "it answers 503"),
        (404, '["detail"]', "it answers 404"),
        (200, "<html>It works!", "another program answers there"),
        (200, '{"status": "alive"}', "another program answers there"),
        (503, '{"detail": "\\u001b[2J"}', " [2J"),
    ],
)
def test_the_reason_is_told_in_a_sentence(status: int, body: str, reason: str) -> None:
    with answering(saying(status, body)) as url:
        result = ask(url)
    assert (result.exit_code, result.stderr) == (1, f"The service at {url} is not ready: {reason}.\n")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "file:///etc", "http://", "http://127.0.0.1:1", "http://[::1", ""])
def test_an_address_where_nobody_answers(url: str) -> None:
    result = ask(url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"The service at {url} is not ready: ")
    assert result.stderr.count("\n") == 1


def test_a_server_that_never_finishes_is_not_waited_for() -> None:
    enough = Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        while not enough.wait(0.05):  # shorter than a time limit for each byte
            request.wfile.write(b"x")

    before = time.monotonic()
    with answering(drip) as url:
        result = ask(url, "--seconds", "0.3")
        enough.set()
        assert time.monotonic() - before < 20
        assert (result.exit_code, "it has not answered within 0.3 s" in result.stderr) == (1, True)
