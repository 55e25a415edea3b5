"""The demo: its failures are sentences; at a terminal it shows requests that work as they stand."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import demo
from scripts.bake import ROOT
from scripts.story import CREATE, LOGIN, READ, DemoError, as_shell
from tests.support import clean_environment, run


def test_a_busy_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind((demo.HOST, 0))
        taken.listen()
        with pytest.raises(DemoError, match=f"Port {taken.getsockname()[1]} is taken"):
            demo.refuse_busy(taken.getsockname()[1])


def test_a_service_that_ends_early_is_not_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(DemoError, match="ended with code 3"):
        demo.wait_until_ready(process, f"http://{demo.HOST}:{demo.free_port()}")


def test_a_service_that_ignores_ctrl_c_is_stopped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SECONDS_TO_STOP", 0.5)
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()

    demo.stop(process)

    process.stdout.close()
    assert process.wait(120) == -signal.SIGKILL


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The demo as at a terminal, once it says how to stop it, and what it said."""
    # A shell's background jobs ignore Ctrl-C, and so does what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    words = ["make", "demo", f"PORT={demo.free_port()}", f"BUILD={tmp_path}"]
    process = subprocess.Popen(
        words, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line.strip())
        if "Ctrl-C" in line:
            break
    yield process, said
    demo.stop(process)
    process.stdout.close()


@pytest.mark.slow
def test_the_requests_shown_work_as_they_stand(shown: tuple[subprocess.Popen[str], list[str]], tmp_path: Path) -> None:
    process, said = shown
    address = next(line.split()[-1] for line in said if line.startswith("The service answers at "))
    lines = [as_shell(request, address) for request in (CREATE, LOGIN, READ)]
    assert [line for line in said if "curl" in line] == lines

    if shutil.which("curl"):
        answer = run("sh", "-c", "\n".join(lines), cwd=tmp_path)
        assert '"mario@example.com"' in answer.stdout, answer.stdout + answer.stderr

    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
    process.wait(120)
    assert process.stdout is not None
    assert "Stopped." in process.stdout.read()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((demo.HOST, int(address.rsplit(":")[-1])), timeout=1)


@pytest.mark.slow
def test_a_demo_that_cannot_work_says_so(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "make"
    broken.write_text("#!/bin/sh\necho no kitchen here >&2\nexit 7\n")
    broken.chmod(0o755)

    path = f"{broken.parent}{os.pathsep}{os.environ['PATH']}"
    answer = run(sys.executable, "-m", "scripts.demo", "--check", "--into", str(tmp_path), cwd=ROOT, PATH=path)

    assert answer.returncode == 1
    assert "The demo failed. The service ended with code 7" in answer.stderr
    assert "no kitchen here" in answer.stderr
