"""Maps aggregates to tables with SQLAlchemy."""

from functools import cache

from sqlalchemy.orm import registry

from app.core.discovery import discover
from app.persistence import mappings
from app.persistence.engine.guarding import require_versions
from app.persistence.tables import metadata


@cache
def map_aggregates() -> tuple[type, ...]:
    """Call `map_aggregate` of every module in `mappings`, which also declares their tables; a second call does nothing.

    Returns:
        The mapped classes.

    Raises:
        DiscoveryError: if one of the modules cannot be imported.
        ConfigurationError: if an aggregate is mapped without its version.
    """
    mapper_registry = registry(metadata=metadata)
    for module in discover(mappings.__name__).modules:
        if hasattr(module, "map_aggregate"):
            module.map_aggregate(mapper_registry)
    require_versions(mapper_registry.mappers)
    return tuple(mapper.class_ for mapper in mapper_registry.mappers)
