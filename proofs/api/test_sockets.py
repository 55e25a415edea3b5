"""WebSocket endpoints have what endpoints of HTTP have: a real client, a real server, both databases."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from fastapi import FastAPI, WebSocket
from starlette.exceptions import HTTPException
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.core.config import Settings
from app.core.cqrs import BaseCommandHandler, BaseQueryHandler, ICommand, IQuery, TransientError
from app.core.logging import current_request
from app.dependencies import AnonymousBus, Bus, CurrentUser, Service, socket_caller
from app.domain.ports import AccessTokens
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.logout_handler import LogoutCommand
from app.handlers.user.update_user_handler import UpdateUserCommand
from app.main import create_app
from tests.core.cqrs.support import within_patience
from tests.databases import settings_for
from tests.serving import listening
from tests.users import People, Person

LONGEST = 100_000
"""How long a message may be."""


@dataclass(frozen=True)
class Seen(IQuery[dict[str, Any]]):
    """What does the handler see?"""


@dataclass(frozen=True)
class Tell(ICommand[dict[str, Any]]):
    """What does the handler see?"""


class SeenHandler(BaseQueryHandler[Seen, dict[str, Any]]):
    async def _handle(self, query: Seen) -> dict[str, Any]:
        return asdict(query.metadata) | {"logged": current_request.get()}


class TellHandler(BaseCommandHandler[Tell, dict[str, Any]]):
    async def _handle(self, command: Tell) -> dict[str, Any]:
        return asdict(command.metadata)


logger = structlog.get_logger(__name__)


def add_sockets(app: FastAPI) -> None:
    """Endpoints as a team writes them."""

    @app.websocket("/seen")
    async def seen(websocket: WebSocket, bus: Bus) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            command = Tell()
            command.metadata.idempotency_key = text
            answers = [(await bus.execute_query(Seen())).unwrap(), (await bus.execute_command(command)).unwrap()]
            await websocket.send_text(json.dumps(answers, default=str))

    @app.websocket("/names/{name}")
    async def rename(websocket: WebSocket, name: str, user: CurrentUser, bus: Bus) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            (await bus.execute_command(UpdateUserCommand(user.user_id, full_name=f"{name} {text}"))).unwrap()
            stored = (await bus.execute_query(GetUserQuery(user.user_id))).unwrap()
            await websocket.send_text(stored.full_name)

    @app.websocket("/service")
    async def serve(websocket: WebSocket, service: Service, bus: AnonymousBus) -> None:
        await websocket.accept()
        assert service.settings.environment == "test"
        await websocket.send_text(str((await bus.execute_query(Seen())).unwrap()["user_id"]))

    @app.websocket("/fails/{how}")
    async def fail(websocket: WebSocket, how: str) -> None:
        await websocket.accept()
        if how == "forbidden":
            raise HTTPException(403, "é" * 200)
        raise TransientError("Come again.") if how == "later" else RuntimeError("the password is hunter2")

    @app.websocket("/fails-at-once")
    async def fail_at_once(websocket: WebSocket) -> None:
        raise RuntimeError("the password is hunter2")

    @app.websocket("/reads-on")
    async def read_on(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.receive_text()


def add_more_sockets(app: FastAPI) -> None:
    """One that a web page opens, and one for bytes."""

    @app.websocket("/pages")
    async def serve_page(websocket: WebSocket) -> None:
        await websocket.accept()
        user, bus = await socket_caller(websocket, await websocket.receive_text())
        async for text in websocket.iter_text():
            (await bus.execute_command(UpdateUserCommand(user.user_id, full_name=text))).unwrap()
            stored = (await bus.execute_query(GetUserQuery(user.user_id))).unwrap()
            await websocket.send_text(stored.full_name)

    @app.websocket("/lengths")
    async def measure(websocket: WebSocket) -> None:
        await websocket.accept()
        async for data in websocket.iter_bytes():
            await websocket.send_text(str(len(data)))

    @app.websocket("/json/{mode}")
    async def read_json(websocket: WebSocket, mode: str) -> None:
        await websocket.accept()
        message = await websocket.receive_json("binary" if mode == "binary" else "text")
        await websocket.send_json(json.loads(message["json"]) if mode == "nested" else message)


class Sockets:
    """A service with WebSockets, and clients of it."""

    def __init__(self, app: FastAPI, port: int, opened: AsyncExitStack) -> None:
        self.service = app.state.service
        self.service.bus.register_command_handler(Tell, TellHandler())
        self.service.bus.register_query_handler(Seen, SeenHandler())
        self.people = People(self.service.bus)
        self.port = port
        self._opened = opened

    async def open(self, path: str, token: str | None = None, **headers: str) -> ClientConnection:
        """Open a WebSocket."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        opening = connect(f"ws://127.0.0.1:{self.port}{path}", additional_headers=headers, proxy=None)
        return await within_patience(self._opened.enter_async_context(opening))

    async def refusal(self, path: str, token: str | None = None, **headers: str) -> dict[str, Any]:
        """The problem document that a handshake is answered with."""
        with pytest.raises(InvalidStatus) as raised:
            await self.open(path, token, **headers)
        response = raised.value.response
        assert response.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = json.loads(response.body or b"")
        assert document["status"] == response.status_code
        assert document["request_id"] == response.headers["x-request-id"]
        assert response.headers["cache-control"] == "no-store"
        return document

    async def signed_in(self) -> tuple[Person, str, str]:
        """A member, with an access and a refresh token."""
        ada = await self.people.member()
        tokens = (await ada.login()).unwrap()
        return ada, tokens.access_token, tokens.refresh_token


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_for(database_url, max_body_bytes=LONGEST)


@pytest.fixture
async def sockets(settings: Settings) -> AsyncIterator[Sockets]:
    app = create_app(settings)
    add_sockets(app)
    add_more_sockets(app)
    async with listening(app, settings) as port, AsyncExitStack() as opened:
        yield Sockets(app, port, opened)


async def ends_with(connection: ClientConnection) -> tuple[int, str]:
    """The code and the reason that a WebSocket is closed with."""
    with pytest.raises(ConnectionClosed):
        await within_patience(connection.recv())
    assert connection.close_code is not None
    return connection.close_code, connection.close_reason or ""


async def test_messages_carry_who_asked_and_over_which_socket(sockets: Sockets) -> None:
    ada, token, _ = await sockets.signed_in()
    connection = await sockets.open("/seen", token, **{"X-Request-ID": "r1", "X-Correlation-ID": "c1"})
    assert connection.response is not None
    assert connection.response.headers["x-request-id"] == "r1"
    for key in ("k1", "k2"):
        await connection.send(key)
        query, command = json.loads(await within_patience(connection.recv()))
        for metadata in (query, command):
            assert (metadata["user_id"], metadata["correlation_id"], metadata["source"]) == (
                str(ada.id),
                "c1",
                "websocket",
            )
        assert (query["logged"], command["idempotency_key"]) == ("r1", key)


async def test_each_message_is_an_operation_that_is_stored(sockets: Sockets) -> None:
    _, token, _ = await sockets.signed_in()
    connection = await sockets.open("/names/Ada", token)
    for name in ("Byron", "King", "Lovelace"):
        await connection.send(name)
        assert await within_patience(connection.recv()) == f"Ada {name}"


async def test_without_an_account_there_is_the_bus_of_nobody(sockets: Sockets) -> None:
    connection = await sockets.open("/service", "no token")
    assert await within_patience(connection.recv()) == "None"


@pytest.mark.parametrize("path", ["/seen", "/names/Ada"])
async def test_a_token_that_is_no_good_opens_nothing(sockets: Sockets, path: str) -> None:
    assert (await sockets.refusal(path, "nonsense"))["type"] == "urn:problem:unauthenticated"
    _, token, refresh_token = await sockets.signed_in()
    (await sockets.service.bus.execute_command(LogoutCommand(refresh_token))).unwrap()
    assert (await sockets.refusal(path, token))["status"] == 401


async def test_what_needs_a_caller_is_refused_without_one(sockets: Sockets) -> None:
    assert (await sockets.refusal("/names/Ada"))["status"] == 401


async def test_a_socket_outlives_no_login(sockets: Sockets) -> None:
    _, token, refresh_token = await sockets.signed_in()
    connection = await sockets.open("/seen", token)
    await connection.send("k")
    assert await within_patience(connection.recv())
    (await sockets.service.bus.execute_command(LogoutCommand(refresh_token))).unwrap()
    await connection.send("k")
    assert await ends_with(connection) == (1008, "This login has ended: log in again.")


async def test_a_socket_outlives_no_token(sockets: Sockets) -> None:
    _, token, _ = await sockets.signed_in()
    connection = await sockets.open("/names/Ada", token)
    tokens = await sockets.service.container.get(AccessTokens)
    ended = tokens._clock.now() - timedelta(seconds=1)
    expired = replace(tokens.read(token), expires_at=ended)
    tokens._known = lambda _: expired
    await connection.send("Byron")
    code, reason = await ends_with(connection)
    assert (code, "has expired" in reason) == (1008, True)


async def test_a_page_sends_its_token_as_a_message(sockets: Sockets) -> None:
    _, token, refresh_token = await sockets.signed_in()
    connection = await sockets.open("/pages")
    await connection.send(token)
    await connection.send("Ada King")
    assert await within_patience(connection.recv()) == "Ada King"
    (await sockets.service.bus.execute_command(LogoutCommand(refresh_token))).unwrap()
    await connection.send("Mallory")
    assert await ends_with(connection) == (1008, "This login has ended: log in again.")


async def test_a_page_with_a_token_of_an_ended_login_is_refused(sockets: Sockets) -> None:
    _, token, refresh_token = await sockets.signed_in()
    (await sockets.service.bus.execute_command(LogoutCommand(refresh_token))).unwrap()
    for sent, reason in ((token, "This login has ended: log in again."), ("é", "This access token is not valid")):
        connection = await sockets.open("/pages")
        await connection.send(sent)
        code, said = await ends_with(connection)
        assert (code, said.startswith(reason)) == (1008, True)


@pytest.mark.parametrize(
    ("path", "message", "reason"),
    [
        ("/reads-on", b"binary", "Send messages as text."),
        ("/seen", b"binary", "Send messages as text."),
        ("/lengths", "text", "Send messages as binary data."),
    ],
)
async def test_a_message_of_the_other_kind_is_an_error_of_the_client(
    sockets: Sockets, path: str, message: str | bytes, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = await sockets.open(path)
    await connection.send(message)
    assert await ends_with(connection) == (1008, reason)
    assert "request_failed" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "message"),
    [("/json/text", "no JSON"), ("/json/text", "9" * 5000), ("/json/binary", b"\xff"), ("/json/text", "[" * 100_000)],
)
async def test_text_that_is_no_json_is_an_error_of_the_client(
    sockets: Sockets, path: str, message: str | bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = await sockets.open(path)
    await connection.send(message)
    assert await ends_with(connection) == (1008, "The message is not JSON.")
    assert "request_failed" not in capsys.readouterr().err


async def test_what_an_endpoint_parses_itself_may_be_its_bug(
    sockets: Sockets, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = await sockets.open("/json/nested")
    await connection.send('{"json": "no JSON"}')
    assert (await ends_with(connection))[0] == 1011
    assert "request_failed" in capsys.readouterr().err


async def test_binary_messages_arrive(sockets: Sockets) -> None:
    connection = await sockets.open("/lengths")
    for sent in (b"", b"abc"):
        await connection.send(sent)
        assert await within_patience(connection.recv()) == str(len(sent))


async def test_a_key_is_of_a_message_not_of_a_socket(sockets: Sockets) -> None:
    assert (await sockets.refusal("/seen", **{"Idempotency-Key": "k"}))["status"] == 400


@pytest.mark.parametrize(
    ("how", "end"),
    [
        ("forbidden", (1008, "é" * 61)),
        ("later", (1013, "Come again.")),
        ("bug", (1011, "Something went wrong on our side; it is in the logs, under the id given here.")),
    ],
)
async def test_what_fails_after_the_handshake_is_said_at_its_end(
    sockets: Sockets, how: str, end: tuple[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ends_with(await sockets.open(f"/fails/{how}")) == end
    logged = capsys.readouterr().err
    assert ("request_failed" in logged) is (how == "bug")
    assert "Exception in ASGI" not in logged


async def test_a_bug_before_the_handshake_is_a_problem(sockets: Sockets) -> None:
    refused = await sockets.refusal("/fails-at-once")
    assert (refused["status"], "hunter2" in str(refused)) == (500, False)


async def test_who_leaves_is_no_error(sockets: Sockets, capsys: pytest.CaptureFixture[str]) -> None:
    connection = await sockets.open("/reads-on")
    await connection.close()
    other = await sockets.open("/reads-on")
    other.transport.abort()
    await other.wait_closed()
    assert await within_patience((await sockets.open("/service")).recv()) == "None"  # who comes later is served
    logged = capsys.readouterr().err
    assert "rror" not in logged.replace("uvicorn.error", ""), logged


async def test_a_message_is_no_longer_than_a_body(sockets: Sockets) -> None:
    connection = await sockets.open("/reads-on")
    await connection.send("x" * LONGEST)
    await connection.send("x" * (LONGEST + 1))
    assert (await ends_with(connection))[0] == 1009


async def test_a_page_of_somebody_else_opens_none(sockets: Sockets) -> None:
    assert (await sockets.refusal("/service", Origin="https://evil.example"))["status"] == 403
    await sockets.open("/service", Origin=f"http://127.0.0.1:{sockets.port}")


async def test_an_open_socket_holds_up_no_end(settings: Settings) -> None:
    app = create_app(settings)
    add_sockets(app)
    async with AsyncExitStack() as opened:
        async with listening(app, settings) as port:
            connection = await Sockets(app, port, opened).open("/reads-on")
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 19
        assert (await ends_with(connection))[0] == 1012
