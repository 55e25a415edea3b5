"""The service over HTTP: `app run`, or `uvicorn --factory app.main:create_app`."""

import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.document import describe
from app.api.edge import protect
from app.api.errors import answer_errors
from app.api.pages import add_pages
from app.api.routing import add_routes, keep_apart, routing_problems
from app.composition.container import running_service, seed_administrator
from app.composition.telemetry import configure_logs
from app.core.config import Settings, SettingsError, load_settings
from app.core.cqrs import CQRSError
from app.core.discovery import discover, refuse
from app.core.identity import installed_as
from app.core.parts import optional

ROUTES = "app.api.routes"
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "operation_spans": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
"""FastAPI watches nothing by itself: the bus does."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the web application, which opens the service when it starts and closes it when it ends."""
    settings = settings or load_settings()
    configure_logs(settings)
    app = _application(settings)
    for router in found_routers():
        add_routes(app, router)
    keep_apart(app.router.routes)
    if settings.api_docs:
        add_pages(app)
    describe(app)
    answer_errors(app)
    protect(app, settings)
    app.add_middleware(TellWhy)
    return app


def _application(settings: Settings) -> FastAPI:
    """An application without routes of its own, whose lifespan is that of the service."""
    tracing = optional("app.api.tracing")
    requests = tracing.request_spans(settings) if tracing else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_service(settings) as service:
            if settings.environment == "development":
                await seed_administrator(service.bus)
            app.state.service = service
            if requests is not None:
                requests.tracer = service.telemetry.tracer
            yield

    return FastAPI(
        title=settings.service_name,
        version=settings.release or "0",
        description=installed_as().description,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=requests.telemetry if requests else NO_TELEMETRY,
    )


def found_routers() -> list[APIRouter]:
    """The `router` of every module under `app.api.routes`, each once.

    Packages, and modules whose name begins with an underscore, need none.

    Raises:
        DiscoveryError: if a module has none, or has endpoints that are not in it.
    """
    modules = discover(ROUTES).modules
    routers = [module.router for module in modules if isinstance(getattr(module, "router", None), APIRouter)]
    refuse(ROUTES, routing_problems(modules, routers))
    return [*{id(router): router for router in routers}.values()]


class TellWhy:
    """Reports in a sentence why the service does not start, where the server would print a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass everything on, and observe only the start."""
        if scope["type"] != "lifespan":
            return self.app(scope, receive, send)

        async def send_sentence(message: Message) -> None:
            error = sys.exc_info()[1]
            if message["type"] == "lifespan.startup.failed" and isinstance(error, CQRSError | SettingsError | OSError):
                message = {**message, "message": str(error)}
            await send(message)

        return self.app(scope, receive, send_sentence)
