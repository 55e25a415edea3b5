"""`app health`: whether a running service is ready."""

import json
from http.client import HTTPException
from queue import Empty, Queue
from threading import Thread
from typing import Annotated
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import typer

from app.cli.terminal import CommandError, printable

LONGEST_ANSWER_BYTES = 64 * 1024


def health(
    url: Annotated[str, typer.Option(help="The address of the service.")] = "http://127.0.0.1:8000",
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long it may take to answer.")] = 3.0,
) -> None:
    """Exit with 0 if a running service is ready, and otherwise with 1 and the reason."""
    answers: Queue[str] = Queue()
    # In a thread, because a time limit of urllib is for each byte that is waited for, and not for the answer.
    Thread(target=lambda: answers.put(_trouble(url, seconds)), daemon=True).start()
    try:
        trouble = answers.get(timeout=seconds)
    except Empty:
        trouble = f"it has not answered within {seconds:g} s"
    if trouble:
        raise CommandError(f"The service at {url} is not ready: {printable(trouble).rstrip('.')}.")
    typer.echo("ready")


def _trouble(url: str, seconds: float) -> str:
    """Why the service is not ready; empty if it is."""
    if not url.startswith(("http://", "https://")):
        return "its address must begin with http:// or https://"
    opener = build_opener(ProxyHandler({}))  # the variables of a proxy are for other servers
    try:
        with opener.open(f"{url.rstrip('/')}/health/ready", timeout=seconds) as response:
            answer = response.read(LONGEST_ANSWER_BYTES)
        return "" if _field(answer, "status") == "ready" else "another program answers there"
    except HTTPError as error:
        return _field(error.read(LONGEST_ANSWER_BYTES), "detail") or f"it answers {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return str(getattr(error, "reason", error))


def _field(answer: bytes, name: str) -> str:
    try:
        return str(json.loads(answer)[name])
    except (ValueError, LookupError, TypeError):
        return ""
