"""The command line, as commands and as a process that serves."""

import gc
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from unittest.mock import AsyncMock

import httpx2
import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from tests.processes import PATIENCE_SECONDS, ROOT, Forked
from tests.server import Server, environment_for, serving

Run = Callable[..., Result]


def settings_in(folder: Path) -> dict[str, str]:
    return environment_for(f"sqlite:///{folder}/cli.db", BODY_TIMEOUT_SECONDS="3")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `app` with these arguments, in a folder and with a database of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in settings_in(tmp_path).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments, typed="": CliRunner().invoke(app, arguments, input=typed)


def test_the_database_is_brought_up_to_date_and_back(run: Run) -> None:
    assert "app db upgrade" in run("db", "check").stderr
    assert run("db", "upgrade").stdout == "The database is up to date.\n"
    assert run("db", "check").stdout == "The database has every migration, and the migrations every table.\n"
    assert run("db", "downgrade", "-1").stdout.startswith("Reverted: ")
    assert run("db", "check").exit_code == 1


def test_an_administrator_is_made_with_a_password_from_standard_input(run: Run) -> None:
    run("db", "upgrade")

    made = run("users", "create-admin", "ada@example.com", "--password-stdin", typed="correct horse\n")
    again = run("users", "create-admin", "ada@example.com", "--password-stdin", typed="correct horse\n")

    assert (made.exit_code, len(made.stdout.strip())) == (0, 36)
    audited, said = again.stderr.splitlines()
    assert (again.exit_code, said) == (1, "This email is taken.")
    assert "outcome=conflict source=cli" in audited
    assert "correct horse" not in made.output + again.output


def test_an_administrator_made_before_the_first_start_in_development_is_the_only_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "development")
    run("db", "upgrade")

    made = run("users", "create-admin", "ada@example.com", "--password-stdin", typed="correct horse\n")

    with closing(sqlite3.connect(tmp_path / "cli.db")) as database:
        emails = [email for (email,) in database.execute("SELECT email FROM users")]
    assert (made.exit_code, emails) == (0, ["ada@example.com"])
    assert "Administrator" not in made.output


def test_a_password_is_asked_for_twice_at_a_terminal(run: Run) -> None:
    run("db", "upgrade")

    made = run("users", "create-admin", "ada@example.com", typed="correct horse\ncorrect horse\n")

    assert made.exit_code == 0
    assert "correct horse" not in made.output


def test_the_document_of_the_api_needs_neither_a_database_nor_a_secret(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.delenv("SECRET_KEY")

    printed = run("openapi")

    document = json.loads(printed.stdout)
    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "app")
    assert document["paths"]["/api/users"]["post"]["operationId"] == "create_user"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("users", "create-admin", "ada@example.com", "--password-stdin"), "app db upgrade"),
        (("db", "downgrade", "nowhere"), "nowhere"),
        (("run", "--host", "203.0.113.1", "--port", "0"), "Cannot listen on 203.0.113.1"),
    ],
)
def test_what_does_not_work_is_told_in_a_sentence(run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments, typed="correct horse\n")

    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def test_wrong_fields_are_named(run: Run) -> None:
    run("db", "upgrade")

    result = run("users", "create-admin", "nobody", "--password-stdin", typed="short\n")

    assert result.exit_code == 1
    assert "email is not an e-mail address" in result.stderr
    assert "password must have at least 8 characters" in result.stderr


def test_no_password_is_asked_for_if_the_address_is_wrong(run: Run) -> None:
    result = run("users", "create-admin", "nobody")

    assert (result.exit_code, result.output) == (1, "email is not an e-mail address.\n")


def test_a_missing_setting_is_told_in_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "short")

    result = run("db", "upgrade")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("SECRET_KEY is too short")


def test_a_bug_is_told_in_a_sentence_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("missing\nand more")

    monkeypatch.setattr("app.persistence.schema.migrate.upgrade", broken)
    result = run("db", "upgrade")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("KeyError: 'missing")


def test_a_port_that_is_taken_is_told_in_a_sentence(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("run", "--port", str(port))

    assert result.exit_code == 1
    assert result.stderr == (
        f"Port {port} of 127.0.0.1 is taken: end the program that uses it, or take another with --port.\n"
    )


def most_memory_bytes(server: Server) -> int:
    """What it has used at most; 0 where the system does not tell."""
    status = Path(f"/proc/{server.process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else ()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def answer_to(server: Server, request: bytes) -> bytes:
    """Everything it answers until it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture
def server(tmp_path: Path, run: Run) -> Iterator[Server]:
    assert run("db", "upgrade").exit_code == 0
    with serving(tmp_path, settings_in(tmp_path)) as server:
        yield server


def test_a_real_server_bears_its_clients_and_ends_cleanly(server: Server) -> None:
    """One story, because starting a process takes longer than all that happens to it."""
    before = most_memory_bytes(server)
    for length in ({"Content-Length": str(200 * 2**20)}, {}):
        huge = (b"x" * 2**22 for _ in range(50))
        refused = httpx2.post(f"{server.address}/api/users", content=huge, headers=length, timeout=PATIENCE_SECONDS)
        assert (refused.status_code, refused.headers["content-type"]) == (413, "application/problem+json")
    assert most_memory_bytes(server) - before < 16 * 2**20

    trickling = answer_to(server, b"POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
    assert trickling.startswith(b"HTTP/1.1 408 ")

    for no_http in (
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \0\r\n\r\n",
        b"GET /\xed\xa0\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ):
        answer = answer_to(server, no_http)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in answer

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert "Application shutdown complete." in server.log.read_text()


def test_sigterm_ends_the_first_process_of_a_container_while_it_imports(tmp_path: Path) -> None:
    program = "import os, time; os.getpid = lambda: 1; import app.cli; print('there', flush=True); time.sleep(90)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"there\n"
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE_SECONDS) == 143
    finally:
        first.kill()
        first.communicate()


def serve() -> None:
    """`app run`."""
    app(["run", "--port", "0"])


def test_a_service_that_cannot_start_says_why_and_exits_with_1(tmp_path: Path) -> None:
    server = Forked(serve, tmp_path / "log", {**os.environ, **settings_in(tmp_path)})

    assert server.ended() == 1
    assert "run `app db upgrade`" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("arguments", [("run", "--port", "0"), ("worker",)])
def test_a_process_that_stays_collects_garbage_rarely(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    before = gc.get_threshold()
    seen: list[tuple[int, int, int]] = []

    def work(*_: object, sockets: Sequence[socket.socket] = ()) -> None:
        seen.append(gc.get_threshold())
        for listener in sockets:
            listener.close()

    monkeypatch.setattr("app.worker.work", AsyncMock(side_effect=work))
    monkeypatch.setattr("uvicorn.Server.run", work)
    try:
        result = run(*arguments)
    finally:
        gc.set_threshold(*before)
    assert (result.exit_code, seen) == (0, [(20_000, 10, 50)]), result.output
