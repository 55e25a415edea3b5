"""What watches a service beside its log and its metrics: traces and error reports, if it has the part for them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.core.config import Settings
from app.core.cqrs import ErrorReports, PipelineBehavior
from app.core.cqrs.ports import Tracing
from app.core.logging import configure_logging
from app.core.parts import optional
from app.persistence.engine.database import Database

PART = "app.composition.traces_and_reports"


@dataclass(frozen=True)
class Telemetry:
    """What the settings configure; by default nothing."""

    reports: ErrorReports | None = None
    behaviors: tuple[PipelineBehavior[Any], ...] = ()
    tracer: Any = None
    tracing: Tracing | None = None
    """The bus's step for tracing."""
    watch: Callable[[Database], object] = lambda _: None
    """Traces the statements of a database."""


@asynccontextmanager
async def open_telemetry(settings: Settings) -> AsyncIterator[Telemetry]:
    """Open what the settings configure.

    Raises:
        ConfigurationError: if a URL is not valid, or a library is not installed.
    """
    part = optional(PART)
    if part is None:
        yield Telemetry()
        return
    async with part.open_telemetry(settings) as telemetry:
        yield telemetry


def configure_logs(settings: Settings) -> None:
    """Configure the log of this process: for people in development, as JSON in production."""
    part = optional(PART)
    configure_logging(
        json=settings.environment == "production",
        level=settings.log_level,
        span_ids=part.span_ids(settings) if part else None,
    )
