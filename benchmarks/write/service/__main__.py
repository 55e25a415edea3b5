"""Serve the endpoints in one process on a free port, which the first line of the output tells."""

import gc
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import uvicorn
from fastapi import APIRouter, FastAPI

from app.api.edge import protect
from app.api.errors import answer_errors
from app.api.protocol import ProblemProtocol
from app.cli.service import listen
from app.core.config import Settings, load_settings
from app.core.container import HANDLERS, running_service
from app.core.logging import configure_logging
from app.main import TellWhy
from app.persistence.database import Database
from benchmarks.write.service import by_hand, through_bus


def serve(package: str, *routers: APIRouter) -> None:
    """Serve the endpoints of these routers, and the handlers of this package, until SIGTERM."""
    settings = load_settings()
    configure_logging(json=True, level=settings.log_level)
    listener = listen("127.0.0.1", 0)
    listener.listen()  # whoever comes before the service has started waits for it
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        make_app(settings, package, routers),
        http=ProblemProtocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 50)
    uvicorn.Server(config).run(sockets=[listener])


def make_app(settings: Settings, package: str, routers: Iterable[APIRouter]) -> FastAPI:
    """What `app.main.create_app` makes, with these in place of the service's own endpoints."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_service(settings, (HANDLERS, package)) as service:
            app.state.service = service
            database = await service.container.get(Database)
            app.state.engine, app.state.reading_engine = database.writing_engine, database.reading_engine
            yield

    app = FastAPI(lifespan=lifespan, redirect_slashes=False)
    app.add_api_route("/cpu-seconds", cpu_seconds)
    for router in routers:
        app.include_router(router)
    answer_errors(app)
    protect(
        app,
        max_body_bytes=settings.max_body_bytes,
        body_timeout_seconds=settings.body_timeout_seconds,
        https_only=True,
    )
    app.add_middleware(TellWhy)
    return app


async def cpu_seconds() -> float:
    """How many seconds of a processor this process has used."""
    return time.process_time()


if __name__ == "__main__":
    serve(through_bus.__name__, by_hand.router, through_bus.router)
