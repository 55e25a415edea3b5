"""The requests that the demo shows or sends: register, log in, update, read."""

import json
import shlex
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

PASSWORD = "four cheeses, no ham"  # noqa: S105 - the demo's, and known to everybody


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True)
class Request:
    """One request, to be sent or to be shown as a line of shell."""

    title: str
    method: str
    path: str
    body: dict[str, str] | None = None
    form: dict[str, str] | None = None
    signed: bool = False
    answers_with: tuple[str, str] | None = None  # a shell variable and the field that fills it


CREATE = Request(
    title="Register a user",
    method="POST",
    path="/api/users",
    body={"email": "mario@example.com", "username": "mario", "password": PASSWORD, "full_name": "Mario"},
    answers_with=("USER_ID", "user_id"),
)
LOGIN = Request(
    title="Log in",
    method="POST",
    path="/api/auth/login",
    form={"username": "mario", "password": PASSWORD},
    answers_with=("TOKEN", "access_token"),
)
UPDATE = Request(
    title="Change the name",
    method="PATCH",
    path="/api/users/$USER_ID",
    body={"full_name": "Mario Rossi"},
    signed=True,
)
READ = Request(title="Read the user", method="GET", path="/api/users/$USER_ID", signed=True)


def as_shell(request: Request, address: str) -> str:
    """The request as a line to paste into a terminal."""
    words = ["curl", "-sS", "-X", request.method, f'"{address}{request.path}"']
    if request.signed:
        words += ["-H", '"Authorization: Bearer $TOKEN"']
    if request.body:
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(request.body))]
    for name, value in (request.form or {}).items():
        words += ["--data-urlencode", shlex.quote(f"{name}={value}")]
    line = " ".join(words)
    if request.answers_with:
        variable, field = request.answers_with
        line = f"""{variable}=$({line} | sed 's/.*"{field}": *"\\([^"]*\\)".*/\\1/')"""
    return line


def send(request: Request, address: str, known: dict[str, str]) -> dict[str, Any]:
    """Send the request, remember what later ones need, and return the answer."""
    path = request.path.replace("$USER_ID", known.get("USER_ID", ""))
    headers, data = {}, None
    if request.signed:
        headers["Authorization"] = f"Bearer {known['TOKEN']}"
    if request.body:
        headers["Content-Type"] = "application/json"
        data = json.dumps(request.body).encode()
    if request.form:
        data = urllib.parse.urlencode(request.form).encode()
    outgoing = urllib.request.Request(address + path, data, headers, method=request.method)  # noqa: S310 - our own http
    answer = read_answer(request, outgoing)
    if request.answers_with:
        variable, field = request.answers_with
        if field not in answer:
            raise DemoError(f"{request.title}: the answer has no {field}: {json.dumps(answer)}")
        known[variable] = str(answer[field])
    return answer


def read_answer(request: Request, outgoing: urllib.request.Request) -> dict[str, Any]:
    """The answer's JSON, or a sentence about what came instead."""
    try:
        with urllib.request.urlopen(outgoing, timeout=30) as response:  # noqa: S310 - our own http
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
            return answer
    except urllib.error.HTTPError as error:
        raise DemoError(f"{request.title}: {error.code} {error.read().decode(errors='replace')}") from error
    except (OSError, ValueError) as error:
        raise DemoError(f"{request.title}: no usable answer: {error}") from error
