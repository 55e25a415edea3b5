"""A floor: a FastAPI app whose one endpoint answers bytes that are there already, and that has no edge at all."""

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/same-bytes"
app = FastAPI()


@app.get(PATH)
async def same_bytes() -> Response:
    """Answer the bytes."""
    return Response(app.state.content, media_type="application/json")


@app.put(PATH)
async def set_bytes(request: Request) -> None:
    """Give it the bytes to answer."""
    app.state.content = await request.body()


def beside(service: ASGIApp) -> ASGIApp:
    """This app and the service in one server, so that they differ in nothing else."""

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope.get("path") == PATH else service)(scope, receive, send)

    return either
