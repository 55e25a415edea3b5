"""A proxy that is trusted says who the client is; any other client only says so."""

from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request, WebSocket
from websockets.asyncio.client import connect

from app.core.config import SettingsError, checked_settings
from tests.databases import settings_for
from tests.serving import listening

CLAIM = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
app = FastAPI()


@app.get("/")
async def who(request: Request) -> list[str]:
    """Who asks, and how."""
    return [request.client.host if request.client else "", request.url.scheme]


@app.websocket("/")
async def who_is_there(websocket: WebSocket) -> None:
    """The same of a WebSocket, as the reason of its end."""
    await websocket.accept()
    await websocket.close(reason=f"{websocket.client.host if websocket.client else ''} {websocket.url.scheme}")


@pytest.mark.parametrize(
    ("trusted", "forwarded_for", "client"),
    [
        ("", "203.0.113.9", ["127.0.0.1", "http"]),
        ("10.0.0.0/8", "203.0.113.9", ["127.0.0.1", "http"]),
        ("127.0.0.1", "203.0.113.9", ["203.0.113.9", "https"]),
        ("10.0.0.0/8, 127.0.0.0/8", "203.0.113.9", ["203.0.113.9", "https"]),
        # Only the last address that no trusted proxy has is believed: what stands before it, the client itself sent.
        ("127.0.0.1,10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.1.2.3", ["203.0.113.9", "https"]),
    ],
)
async def test_a_proxy_is_believed_if_it_is_trusted(
    trusted: str, forwarded_for: str, client: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # of uvicorn, which is not asked
    settings = settings_for(f"sqlite:///{tmp_path}/unused.db", trusted_proxies=trusted)
    headers = CLAIM | {"X-Forwarded-For": forwarded_for}
    async with listening(app, settings) as port, httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/", headers=headers)
        async with connect(f"ws://127.0.0.1:{port}/", additional_headers=headers, proxy=None) as socket:
            await socket.wait_closed()
    assert answer.json() == client
    assert socket.close_reason == f"{client[0]} {client[1].replace('http', 'ws')}"


@pytest.mark.parametrize("proxies", ["*", "proxy.example", "10.0.0.7/8", "10.0.0.1:80", "127.0.0.1;10.0.0.1"])
def test_what_is_no_address_is_refused(proxies: str) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES is not valid: give addresses such as"):
        checked_settings(trusted_proxies=proxies)
