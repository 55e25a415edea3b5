"""Bake a service with the default answers, start it, and show or send a few requests."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from scripts.bake import ROOT
from scripts.story import CREATE, LOGIN, READ, UPDATE, DemoError, as_shell, send

HOST = "127.0.0.1"
SECONDS_TO_START = 300  # the first installation may have to fetch everything
SECONDS_TO_STOP = 15


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_busy(port: int) -> None:
    """Say so when somebody else listens there already."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise DemoError(f"Port {port} is taken: stop what listens there, or say `make demo PORT={port + 1}`.")


def bake_afresh(into: Path) -> Path:
    """Bake with the default answers, in place of what an earlier demo left."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        words = [sys.executable, "-m", "scripts.bake", "--defaults", "--into", scratch]
        subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (baked,) = Path(scratch).iterdir()
        service = into / baked.name
        shutil.rmtree(service, ignore_errors=True)
        baked.rename(service)
    return service


@contextlib.contextmanager
def running(service: Path, port: int, log: TextIO | None) -> Iterator[subprocess.Popen[Any]]:
    """Run the service by its own word, and stop it at the end, with everything it started."""
    words = ["make", "run", "--no-print-directory", f"HOST={HOST}", f"PORT={port}", f"PYTHON={sys.executable}"]
    process = subprocess.Popen(words, cwd=service, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[Any]) -> None:
    """Ask politely, then insist."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)
            return


def wait_until_ready(process: subprocess.Popen[Any], address: str) -> None:
    """Wait for /health/ready, but not for ever, nor for a service that has ended."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoError(f"The service ended with code {process.returncode} before it was ready.")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health/ready", timeout=5):  # noqa: S310
            return
        time.sleep(0.2)
    raise DemoError(f"The service was not ready after {SECONDS_TO_START} seconds.")


def show(into: Path, port: int) -> None:
    """The demo at a terminal: the service runs until Ctrl-C."""
    refuse_busy(port)
    address = f"http://{HOST}:{port}"
    service = bake_afresh(into)
    print(f"Baked {service}. Installing it; the first time takes a little.", flush=True)
    with running(service, port, None) as process:
        wait_until_ready(process, address)
        print(f"\nThe service answers at {address}\n\nThree requests to try, in another terminal:\n")
        for request in (CREATE, LOGIN, READ):
            print(f"  # {request.title}\n  {as_shell(request, address)}\n")
        print("Ctrl-C stops it.", flush=True)
        process.wait()


def check(into: Path) -> None:
    """The demo without a terminal: every request is sent, every answer is looked at."""
    port = free_port()
    address = f"http://{HOST}:{port}"
    service = bake_afresh(into)
    log_file = into / f"{service.name}.log"
    print(f"Baked {service}. Installing and starting it on {address}.", flush=True)
    with log_file.open("w") as log, running(service, port, log) as process:
        try:
            wait_until_ready(process, address)
            tell_story(address)
        except DemoError as error:
            raise DemoError(f"{error}\nThe end of {log_file}:\n{log_file.read_text()[-3000:]}") from error
    if address_answers(address):
        raise DemoError(f"The service still answers at {address} after it was stopped.")
    print("Stopped. Everything worked.")


def tell_story(address: str) -> None:
    """Register, log in, update and read a user; what was written must be what is read."""
    known: dict[str, str] = {}
    for request in (CREATE, LOGIN, UPDATE, READ):
        answer = send(request, address, known)
        print(f"{request.method} {request.path}\n  {json.dumps(shortened(answer))}")
    if answer.get("full_name") != "Mario Rossi":
        raise DemoError(f"The name was changed, but the answer still is {json.dumps(answer)}.")


def shortened(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the length of its tokens."""
    return {name: f"{value[:20]}..." if len(str(value)) > 60 else value for name, value in answer.items()}


def address_answers(address: str) -> bool:
    """Whether anybody still answers there."""
    try:
        urllib.request.urlopen(f"{address}/health/live", timeout=2).close()  # noqa: S310 - our own http
    except OSError:
        return False
    return True


def main() -> None:
    """Show the demo, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="send the requests, stop, and tell by the exit code")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--into", type=Path, default=ROOT / "build")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        check(arguments.into) if arguments.check else show(arguments.into, arguments.port)
    except DemoError as error:
        sys.exit(f"The demo failed. {error}")
    except KeyboardInterrupt:
        print("\nStopped.")


if __name__ == "__main__":
    main()
