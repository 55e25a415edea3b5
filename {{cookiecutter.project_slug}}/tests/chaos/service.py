"""The service with the bank and the crash points: `uvicorn --factory tests.chaos.service:create_app`."""

from functools import partial

from fastapi import FastAPI

from app import main
from app.core.container import HANDLERS, running_service
from tests.chaos import bank, crash


def create_app() -> FastAPI:
    """The application as it is in production, with one more package of handlers and one more router."""
    crash.install(bank.DepositLockedHandler)
    main.running_service = partial(running_service, handlers=(HANDLERS, bank.__name__))  # type: ignore[attr-defined]
    app = main.create_app()
    app.include_router(bank.router)
    app.add_middleware(crash.CrashPoints)
    return app
