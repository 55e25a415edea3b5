"""The composition root: settings -> adapters -> operation scopes -> the bus. Only this module knows all parts."""

import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pkgutil import iter_modules

import structlog
from dishka import AsyncContainer, Provider, make_async_container
from dishka.exceptions import NoFactoryError

from app import adapters, persistence
from app.adapters.telemetry import Telemetry, open_telemetry
from app.composition.delivery import EventDelivery
from app.composition.doors import tell_doors
from app.core.config import Settings
from app.core.cqrs import AccessPolicy, AggregateRoot, Cache, Clock, ConfigurationError, CQRSBus, UnitsOfWork
from app.core.cqrs.event_types import EventTypes, check_events
from app.core.cqrs.middleware.audit import AuditTrail
from app.core.cqrs.middleware.error_reports import ReportFailures
from app.core.cqrs.middleware.logging import log_outcome
from app.core.cqrs.middleware.metrics import measure
from app.core.cqrs.names import check_aggregates
from app.core.cqrs.process_bus import lent_cqrs_bus
from app.core.discovery import Discovered, discover, require_found
from app.core.misspelt import misspelt_variables
from app.core.scopes import Lifetime, OperationScopes
from app.handlers.user.seed_administrator_handler import SeedAdministratorCommand
from app.persistence.engine.database import Database
from app.persistence.engine.mapping import map_aggregates
from app.persistence.projections.live import handler_of
from app.persistence.projections.projection import projections_in
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


class MadeBus:
    """Holder through which the container provides the bus, which is itself built from the container's objects."""

    bus: CQRSBus | None = None


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
    found = [*(discover(package) for package in (DOMAIN, *handlers)), found_projections()]
    require_found((DOMAIN, HANDLERS, *handlers), "app")
    check_events(event for discovered in found for event in discovered.events)
    check_aggregates(aggregates_in(found))
    async with open_telemetry(settings) as telemetry, _built(settings, found, telemetry) as container:
        bus = (await container.get(MadeBus)).bus = await make_bus(container, found)
        delivery = await container.get(EventDelivery)
        sweeper = await container.get(Sweeper)
        async with delivery.in_worker(bus) if worker else delivery.in_service(bus), bus, sweeper.running():
            for name, meant in misspelt_variables():
                logger.warning("setting_unknown", variable=name, meant=meant)
            named = {"service": settings.service_name, "environment": settings.environment}
            logger.info("service_started", **named, **bus.get_handler_count())
            await tell_doors(bus, await container.get(Database))
            if settings.environment == "development" and not worker:
                await seed_administrator(bus)
            with lent_cqrs_bus(bus):
                yield RunningService(settings, container, bus, telemetry)


@asynccontextmanager
async def _built(
    settings: Settings, found: Iterable[Discovered], telemetry: Telemetry
) -> AsyncIterator[AsyncContainer]:
    """The container, once the database is known to be migrated; it is closed on exit."""
    container = make_container(settings, found, telemetry)
    try:
        database = await container.get(Database)
        await require_migrated(database, await container.get(Revisions))
        if telemetry.tracer is not None:
            from app.persistence.engine.sql_spans import trace_statements  # imports OpenTelemetry, which is optional

            trace_statements(database, telemetry.tracer)
        yield container
    finally:
        await container.close()


def make_container(
    settings: Settings, found: Iterable[Discovered], telemetry: Telemetry | None = None
) -> AsyncContainer:
    """Build the dependency injection container, and check that every dependency has a provider.

    Raises:
        ConfigurationError: if a dependency has none.
    """
    wiring = Provider()
    wiring.from_context(Settings, scope=Lifetime.SERVICE)
    wiring.from_context(EventTypes, scope=Lifetime.SERVICE)
    wiring.from_context(MadeBus, scope=Lifetime.SERVICE)
    wiring.provide(the_bus, scope=Lifetime.SERVICE)
    wiring.from_context(Telemetry, scope=Lifetime.SERVICE)
    wiring.provide(EventDelivery, scope=Lifetime.SERVICE)
    for discovered in found:
        for handler in discovered.handlers:
            wiring.provide(handler, scope=Lifetime.OPERATION, cache=False)
        for behavior in discovered.behaviors:
            wiring.provide(behavior, scope=Lifetime.SERVICE)
    context = {
        Settings: settings,
        EventTypes: types_in(found, settings.service_name),
        MadeBus: MadeBus(),
        Telemetry: telemetry or Telemetry(),
    }
    try:
        return make_async_container(*found_providers(), wiring, scopes=Lifetime, context=context)
    except NoFactoryError as error:
        raise ConfigurationError(missing_dependency(error)) from error


def found_projections() -> Discovered:
    """The handlers of the projections in `app.read_models`."""
    return Discovered(handlers=[handler_of(projection) for projection in projections_in(READ_MODELS).values()])


def types_in(found: Iterable[Discovered], service: str = "") -> EventTypes:
    """The event types of the discovered packages, for a service of this name."""
    return EventTypes((event for discovered in found for event in discovered.events), service)


def aggregates_in(found: Iterable[Discovered]) -> list[type[AggregateRoot]]:
    """The aggregates that are mapped to tables, and those in the discovered modules."""
    named = (value for one in found for module in one.modules for value in vars(module).values())
    classes = dict.fromkeys([*map_aggregates(), *(value for value in named if isinstance(value, type))])
    return [cls for cls in classes if issubclass(cls, AggregateRoot)]


def event_types() -> EventTypes:
    """The event types of this service, for tools that read the event log without starting the service."""
    return types_in([discover(package) for package in (DOMAIN, HANDLERS)])


def found_providers() -> list[Provider]:
    """The providers in `provider.py` and every `..._provider.py` of `app.adapters` and `app.persistence`.

    Raises:
        DiscoveryError: if one of these modules cannot be imported.
    """
    return [
        member()
        for package in (adapters, persistence)
        for found in iter_modules(package.__path__, f"{package.__name__}.")
        if found.name.endswith("provider")
        for module in discover(found.name).modules
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Provider) and member.__module__ == module.__name__
    ]


async def make_bus(container: AsyncContainer, found: Iterable[Discovered]) -> CQRSBus:
    """Build the bus on the container's adapters, and register every discovered handler and behaviour."""
    settings, telemetry = await container.get(Settings), await container.get(Telemetry)
    bus = CQRSBus(
        scope=OperationScopes(container),
        unit_of_work=await container.get(UnitsOfWork),
        cache=await container.get(Cache),
        access=await container.get(AccessPolicy),
        clock=await container.get(Clock),
        tracer=telemetry.tracer,
        reports=telemetry.reports,
    )
    bus.event_max_steps = settings.event_max_steps
    if telemetry.reports is not None:
        bus.add_middleware(ReportFailures(reports=telemetry.reports))
    bus.add_middleware(measure)
    bus.add_middleware(log_outcome)
    if settings.audit_log:
        bus.add_middleware(AuditTrail())
    for discovered in found:
        for behavior in discovered.behaviors:
            bus.add_middleware(behavior)
        for handler in discovered.handlers:
            bus.register(handler)
    bus.complete((await container.get(EventTypes)).classes.values())
    return bus


def the_bus(made: MadeBus) -> CQRSBus:
    """The bus, for application services; handlers have it as `self.bus`.

    Raises:
        ConfigurationError: if an adapter requests it, which is built before the bus.
    """
    if made.bus is None:
        raise ConfigurationError("The bus is made of the adapters, so none of them can have it: let a handler use it.")
    return made.bus


def missing_dependency(error: NoFactoryError) -> str:
    """The message for a missing dependency: which class needs it, and where to provide it."""
    missing = error.requested.type_hint
    name = getattr(missing, "__qualname__", str(missing))
    needed_by = error.path[-1].provides.type_hint.__qualname__ if error.path else "The service"
    if any(factory.scope is Lifetime.OPERATION for factory in error.suggest_other_scopes):
        return (
            f"{needed_by} needs {name}, which there is anew for each operation, but lives as long as the service: let "
            "it ask a query of its own through the bus, or move what needs it into a handler."
        )
    return (
        f"{needed_by} needs {name}, which nobody provides: add it to a Provider "
        "in app/adapters/provider.py or app/persistence/provider.py, or in a file beside it whose name ends in "
        "_provider.py, or correct the annotation."
    )


async def seed_administrator(bus: CQRSBus) -> None:
    """Create an administrator at the first start in development; the password is shown here and nowhere else."""
    result = await bus.execute_command(SeedAdministratorCommand())
    if result.is_failure:
        logger.warning("administrator_not_made", reason=result.error_message)
    elif (seeded := result.unwrap()) is not None:
        sys.stderr.write(f"Administrator: {seeded.email} with the password {seeded.password}\n")
