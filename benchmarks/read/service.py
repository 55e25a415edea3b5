"""Serve the service in one process, with the floors beside the endpoints they are compared with."""

from fastapi import APIRouter, FastAPI

from app.api.routes import health, menu, orders
from app.core.config import Settings, load_settings
from app.main import create_app
from benchmarks.http import serving
from benchmarks.read import by_hand, same_bytes


def make_app(settings: Settings) -> FastAPI:
    """The service. Routes are tried in order, and a floor's comes first: what that saves is in its favour."""
    for theirs, added in ((menu, by_hand.menu), (orders, by_hand.orders), (health, serving.router)):
        _put_first(theirs.router, added)
    return create_app(settings)


def _put_first(router: APIRouter, added: APIRouter) -> None:
    router.routes[:0] = added.routes


if __name__ == "__main__":
    settings = load_settings()
    serving.serve_on_free_port(same_bytes.beside(make_app(settings)), settings)
