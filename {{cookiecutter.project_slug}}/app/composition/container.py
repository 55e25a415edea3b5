"""The composition root: settings -> adapters -> operation scopes -> the bus. Only this module knows all parts."""

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from dishka import AsyncContainer

from app.composition.delivery import EventDelivery
from app.composition.doors import tell_doors
from app.composition.telemetry import Telemetry, open_telemetry
from app.composition.wiring import MadeBus, aggregates_in, handlers_of, make_container, types_in
from app.core.config import Settings
from app.core.cqrs import AccessPolicy, AggregateRoot, Cache, Clock, CQRSBus, UnitsOfWork
from app.core.cqrs.bus import lent_cqrs_bus
from app.core.cqrs.checks import check_aggregates
from app.core.cqrs.plan import Kind, declarations_of
from app.core.discovery import Discovered, discover, require_found
from app.core.event_types import EventTypes, check_events
from app.core.misspelt import misspelt_variables
from app.core.observability.audit import AuditTrail
from app.core.observability.logging import log_outcome
from app.core.observability.metrics import measure
from app.core.scopes import OperationScopes
from app.handlers.user.seed_administrator_handler import SeedAdministratorCommand
from app.persistence.engine.database import Database
from app.persistence.projections.projection import projections_in, require_aggregates
from app.persistence.schema.applied import require_migrated
from app.persistence.schema.revisions import Revisions
from app.persistence.sweeping import Sweeper

HANDLERS = "app.handlers"
DOMAIN = "app.domain"
READ_MODELS = "app.read_models"
logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RunningService:
    """A service that is assembled and started."""

    settings: Settings
    container: AsyncContainer
    bus: CQRSBus
    telemetry: Telemetry


@asynccontextmanager
async def running_service(
    settings: Settings, handlers: Iterable[str] = (HANDLERS,), *, worker: bool = False
) -> AsyncIterator[RunningService]:
    """Start the service. On exit, running operations finish first, and due reactions run for a few more seconds.

    Args:
        settings: select and configure the adapters.
        handlers: the packages in which handlers are discovered.
        worker: whether this process only delivers and receives events.

    Raises:
        ConfigurationError: if something is missing or invalid; the message says what, and how to correct it.
    """
    found = _found(handlers)
    async with open_telemetry(settings) as telemetry, _built(settings, found, telemetry) as container:
        bus = (await container.get(MadeBus)).bus = await make_bus(container, found)
        delivery = await container.get(EventDelivery)
        sweeper = await container.get(Sweeper)
        async with delivery.running(bus, worker=worker), bus, sweeper.running():
            _tell_start(settings, bus)
            await tell_doors(bus, await container.get(Database))
            with lent_cqrs_bus(bus):
                yield RunningService(settings, container, bus, telemetry)


def _found(handlers: Iterable[str]) -> list[Discovered]:
    projections = projections_in(READ_MODELS).values()
    found = [*(discover(package) for package in (DOMAIN, *handlers)), handlers_of(projections)]
    require_found((DOMAIN, HANDLERS, *handlers), "app")
    check_events(event for discovered in found for event in discovered.events)
    of_service = aggregates_in(found)
    check_aggregates(of_service)
    require_aggregates(projections, of_service)
    return found


def _tell_start(settings: Settings, bus: CQRSBus) -> None:
    for name, meant in misspelt_variables():
        logger.warning("setting_unknown", variable=name, meant=meant)
    named = {"service": settings.service_name, "environment": settings.environment}
    logger.info("service_started", **named, **bus.get_handler_count())


@asynccontextmanager
async def _built(
    settings: Settings, found: Iterable[Discovered], telemetry: Telemetry
) -> AsyncIterator[AsyncContainer]:
    """The container, once the database is known to be migrated; it is closed on exit."""
    container = make_container(settings, found, telemetry)
    try:
        database = await container.get(Database)
        await require_migrated(database, await container.get(Revisions))
        telemetry.watch(database)
        yield container
    finally:
        await container.close()


async def make_bus(container: AsyncContainer, found: Iterable[Discovered]) -> CQRSBus:
    """Build the bus on the container's adapters, and register every discovered handler and behaviour."""
    settings, telemetry = await container.get(Settings), await container.get(Telemetry)
    bus = CQRSBus(
        scope=OperationScopes(container),
        unit_of_work=await container.get(UnitsOfWork),
        cache=await container.get(Cache),
        access=await container.get(AccessPolicy),
        clock=await container.get(Clock),
        tracing=telemetry.tracing,
        reports=telemetry.reports,
    )
    bus.event_max_steps = settings.event_max_steps
    for middleware in _middlewares(settings, telemetry):
        bus.add_middleware(middleware)
    for discovered in found:
        for behavior in discovered.behaviors:
            bus.add_middleware(behavior)
        for handler in discovered.handlers:
            bus.register(handler)
    bus.complete((await container.get(EventTypes)).classes.values())
    return bus


def _middlewares(settings: Settings, telemetry: Telemetry) -> Iterator[Any]:
    yield from telemetry.behaviors
    yield measure
    yield log_outcome
    if settings.audit_log:
        yield AuditTrail()


def event_types() -> EventTypes:
    """The event types of this service, for tools that read the event log without starting the service."""
    return types_in([discover(package) for package in (DOMAIN, HANDLERS)])


def aggregates() -> list[type[AggregateRoot]]:
    """The aggregates of this service, for tools that do not start it."""
    return aggregates_in([discover(package) for package in (DOMAIN, HANDLERS)])


def handler_names() -> set[str]:
    """The names of the after-commit handlers of this service, for tools that do not start it."""
    projections = projections_in(READ_MODELS).values()
    found = [*(discover(package) for package in (DOMAIN, HANDLERS)), handlers_of(projections)]
    return {
        declared.name or handler.__name__
        for one in found
        for handler in one.handlers
        for declared in declarations_of(handler)
        if declared.kind is Kind.EVENT and not declared.in_transaction
    }


async def seed_administrator(bus: CQRSBus) -> None:
    """Create an administrator at the first start in development; the password is shown here and nowhere else."""
    result = await bus.execute_command(SeedAdministratorCommand())
    if result.is_failure:
        logger.warning("administrator_not_created", reason=result.error_message)
    elif (seeded := result.unwrap()) is not None:
        sys.stderr.write(f"Administrator: {seeded.email} with the password {seeded.password}\n")
