"""The process under load."""

import time

from fastapi import APIRouter
from starlette.types import ASGIApp

from app.cli.service import listen, serve
from app.core.config import Settings

router = APIRouter()


def serve_on_free_port(app: ASGIApp, settings: Settings) -> None:
    """Serve this as `app run` does, until SIGTERM, on a free port, which the first line of the output tells."""
    listener = listen("127.0.0.1", 0)
    listener.listen()  # whoever comes before the service has started waits for it
    print(listener.getsockname()[1], flush=True)
    serve(app, settings, listener)


@router.get("/cpu-seconds")
async def cpu_seconds() -> float:
    """How many seconds of a processor this process has used."""
    return time.process_time()
