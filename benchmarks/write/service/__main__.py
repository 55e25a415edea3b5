"""Serve the endpoints in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.api.edge import protect
from app.api.errors import answer_errors
from app.api.routing import add_routes
from app.composition.container import HANDLERS, running_service
from app.core.config import Settings, load_settings
from app.core.cqrs import AccessPolicy, Clock
from app.core.logging import configure_logging
from app.domain.ports import AccessTokens
from app.main import TellWhy
from app.persistence.access import OpenLogins
from app.persistence.engine.database import Database
from app.persistence.idempotency import IdempotencyKeys
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
            app.state.guarantees = by_hand.Guarantees(
                await service.container.get(AccessTokens),
                await service.container.get(OpenLogins),
                await service.container.get(AccessPolicy),
                IdempotencyKeys(
                    settings.key_for("idempotency keys"),
                    settings.idempotency_key_seconds,
                    await service.container.get(Clock),
                ),
            )
            yield

    configure_logging(json=True, level=settings.log_level)
    app = FastAPI(lifespan=lifespan, redirect_slashes=False)
    app.router.routes += [*serving.router.routes, *by_hand.router.routes]  # as FastAPI serves them
    add_routes(app, through_bus.router)
    answer_errors(app)
    protect(app, settings)
    app.add_middleware(TellWhy)
    return app


if __name__ == "__main__":
    settings = load_settings()
    serve_on_free_port(make_app(settings), settings)
