"""Publishes an event outside of a unit of work by opening one, so that all events take the same path."""

from dataclasses import dataclass, replace
from typing import Any

from app.core.cqrs.attempt import attempt_of
from app.core.cqrs.events import RaisedEvent
from app.core.cqrs.messages import DomainEvent, ICommand
from app.core.cqrs.operation import here
from app.core.cqrs.plan import Declaration, Kind, Plan
from app.core.cqrs.policies.transactional import Transactional


@dataclass(frozen=True)
class PublishEvent(ICommand[None]):
    """Store an event; its after-commit reactions are delivered after the commit."""

    event: DomainEvent

    def get_command_name(self) -> str:
        """The name of the command in logs, which contains the event type."""
        return f"publish {self.event.event_type}"


class PublishEventHandler:
    """Adds the event to the unit of work."""

    async def _handle(self, command: PublishEvent) -> None:
        attempt = attempt_of(here())
        assert attempt is not None, "it is transactional, on a bus that has units of work"
        attempt.published.append(RaisedEvent(command.event))


def publishing_plan(bus: Any) -> Plan:
    """The plan for storing such an event."""
    plan = Plan.of(Declaration(Kind.COMMAND, PublishEvent), PublishEventHandler(), bus)
    return replace(plan, policies={Transactional: Transactional()})
