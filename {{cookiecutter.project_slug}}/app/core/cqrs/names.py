"""Checks that stored names are unique: stored data refers to classes by name."""

from collections.abc import Iterable
from inspect import isabstract

from app.core.cqrs.aggregate import AggregateRoot
from app.core.cqrs.errors import ConfigurationError, PolicyError
from app.core.cqrs.plan import Plan
from app.core.cqrs.policies.cached_query import CachedQuery
from app.core.cqrs.policies.idempotent import Idempotent


def check_aggregates(classes: Iterable[type[AggregateRoot]]) -> None:
    """Ensure that no two aggregates share a name, unless one derives from the other.

    Raises:
        ConfigurationError: if two share a name.
    """
    known: dict[str, type[AggregateRoot]] = {}
    for cls in classes:
        if isabstract(cls):
            continue
        other = known.setdefault(cls.aggregate_type, cls)
        if not issubclass(cls, other) and not issubclass(other, cls):
            raise ConfigurationError(
                f"{_path(other)} and {_path(cls)} are both {cls.aggregate_type} in the event log, where their events "
                'would be one stream: give one of them aggregate_type = "...".'
            )


def check_messages(plans: Iterable[Plan]) -> None:
    """Ensure that no two idempotent commands, and no two cached queries, share a name.

    Raises:
        PolicyError: if two share a name.
    """
    known: dict[str, type] = {}
    for plan in plans:
        if plan.policy(Idempotent) is not None:
            attribute, kept = "command_name", "their idempotency keys"
        elif plan.policy(CachedQuery) is not None:
            attribute, kept = "query_name", "their answers in the cache"
        else:
            continue
        name = getattr(plan.message_type, attribute)
        other = known.setdefault(f"{attribute} {name}", plan.message_type)
        if other is not plan.message_type:
            raise PolicyError(
                f"{_path(other)} and {_path(plan.message_type)} are both known as {name}, so {kept} would be mixed up: "
                f'give one of them {attribute}: ClassVar[str] = "...".'
            )


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
