"""Serve the endpoints in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.api.edge import protect
from app.api.errors import answer_errors
from app.composition.container import HANDLERS, running_service
from app.core.config import Settings, load_settings
from app.core.logging import configure_logging
from app.main import TellWhy
from app.persistence.engine.database import Database
from benchmarks.http import serving
from benchmarks.http.serving import serve_on_free_port
from benchmarks.write.service import by_hand, through_bus


def make_app(settings: Settings) -> FastAPI:
    """What `app.main.create_app` makes, with these in place of the service's own endpoints."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_service(settings, (HANDLERS, through_bus.__name__)) as service:
            app.state.service = service
            database = await service.container.get(Database)
            app.state.engine = database.writing_engine
            yield

    configure_logging(json=True, level=settings.log_level)
    app = FastAPI(lifespan=lifespan, redirect_slashes=False)
    for router in (serving.router, by_hand.router, through_bus.router):
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


if __name__ == "__main__":
    settings = load_settings()
    serve_on_free_port(make_app(settings), settings)
