"""The service with mishaps, for processes of its own."""

from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from app import main, worker
from app.api.errors import answer
from app.api.routes import health, metrics
from app.cli import service
from app.composition.container import HANDLERS, running_service
from app.core.cqrs import ICommand
from app.core.parts import optional
from app.dependencies import AnonymousBus, Bus
from tests.processes import PATIENCE_SECONDS
from tests.telemetry import mishaps

COMMANDS: dict[str, type[ICommand[object]]] = {
    command.__name__: command for command in (mishaps.Divide, mishaps.Refuse, mishaps.Announce)
}
router = APIRouter(prefix="/mishaps")
create_app = main.create_app


@router.post("/fall")
async def fall() -> int:
    """Fail outside of any operation."""
    return mishaps._divide(mishaps.SECRET)


@router.post("/signed-in/{name}")
async def mishap_of_somebody(name: str, bus: Bus) -> Response:
    """Send a command as a user."""
    return answer(await bus.execute_command(COMMANDS[name]()))


@router.post("/{name}")
async def mishap(name: str, bus: AnonymousBus) -> Response:
    """Send a command."""
    return answer(await bus.execute_command(COMMANDS[name]()))


def create_app_with_mishaps() -> FastAPI:
    """The application as it is, with one more package of handlers and one more router."""
    app = create_app()
    app.include_router(router)
    return app


def start(*words: str) -> None:
    """Serve, or if that is the word, be a worker; nobody waits for long."""
    with_mishaps = partial(running_service, handlers=(HANDLERS, mishaps.__name__))
    main.running_service = worker.running_service = with_mishaps  # type: ignore[attr-defined]
    main.create_app = lambda settings=None: create_app_with_mishaps()
    if part := optional("tests.telemetry.traces.hurry"):
        part.hurry()
    metrics.PATIENCE_SECONDS = health.PATIENCE_SECONDS = PATIENCE_SECONDS
    if "worker" in words:
        service.worker()
    else:
        service.run("127.0.0.1", 0)
