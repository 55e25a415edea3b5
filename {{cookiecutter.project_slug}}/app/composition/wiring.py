"""The dependency injection container: what it provides, and what is wrong with it."""

from collections.abc import Iterable
from pkgutil import iter_modules

from dishka import AsyncContainer, Provider, make_async_container
from dishka.exceptions import NoFactoryError

from app import adapters, persistence
from app.composition.delivery import EventDelivery
from app.composition.telemetry import Telemetry
from app.core.config import Settings
from app.core.cqrs import AggregateRoot, ConfigurationError, CQRSBus
from app.core.discovery import Discovered, discover
from app.core.event_types import EventTypes
from app.core.scopes import Lifetime
from app.persistence.engine.mapping import map_aggregates
from app.persistence.projections.live import handler_of
from app.persistence.projections.projection import Projection


class MadeBus:
    """Holder through which the container provides the bus, which is itself built from the container's objects."""

    bus: CQRSBus | None = None


def make_container(
    settings: Settings, found: Iterable[Discovered], telemetry: Telemetry | None = None
) -> AsyncContainer:
    """Build the dependency injection container, and check that every dependency has a provider.

    Raises:
        ConfigurationError: if a dependency has none.
    """
    context = {
        Settings: settings,
        EventTypes: types_in(found, settings.service_name),
        MadeBus: MadeBus(),
        Telemetry: telemetry or Telemetry(),
    }
    try:
        return make_async_container(*found_providers(), _wiring(found), scopes=Lifetime, context=context)
    except NoFactoryError as error:
        raise ConfigurationError(missing_dependency(error)) from error


def handlers_of(projections: Iterable[Projection]) -> Discovered:
    """The handlers that keep the read models of projections up to date."""
    return Discovered(handlers=[handler_of(projection) for projection in projections])


def _wiring(found: Iterable[Discovered]) -> Provider:
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
    return wiring


def types_in(found: Iterable[Discovered], service: str = "") -> EventTypes:
    """The event types of the discovered packages, for a service of this name."""
    return EventTypes((event for discovered in found for event in discovered.events), service)


def aggregates_in(found: Iterable[Discovered]) -> list[type[AggregateRoot]]:
    """The aggregates that are mapped to tables, and those in the discovered modules."""
    named = (value for one in found for module in one.modules for value in vars(module).values())
    classes = dict.fromkeys([*map_aggregates(), *(value for value in named if isinstance(value, type))])
    return [cls for cls in classes if issubclass(cls, AggregateRoot)]


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
        for member in discover(found.name).classes
        if issubclass(member, Provider)
    ]


def the_bus(made: MadeBus) -> CQRSBus:
    """The bus, for application services; handlers have it as `self.bus`.

    Raises:
        ConfigurationError: if an adapter requests it, which is built before the bus.
    """
    if made.bus is None:
        raise ConfigurationError(
            "The bus is built from the adapters, so none of them can need it: use it in a handler."
        )
    return made.bus


def missing_dependency(error: NoFactoryError) -> str:
    """The message for a missing dependency: which class needs it, and where to provide it."""
    missing = error.requested.type_hint
    name = getattr(missing, "__qualname__", str(missing))
    needed_by = error.path[-1].provides.type_hint.__qualname__ if error.path else "The service"
    if any(factory.scope is Lifetime.OPERATION for factory in error.suggest_other_scopes):
        return (
            f"{needed_by} lives as long as the service, but needs {name}, which exists only within an operation: send "
            "a query of its own through the bus, or move what needs it into a handler."
        )
    return (
        f"{needed_by} needs {name}, which nothing provides: add it to a Provider "
        "in app/adapters/provider.py or app/persistence/provider.py, or in a file beside it whose name ends in "
        "_provider.py, or correct the annotation."
    )
