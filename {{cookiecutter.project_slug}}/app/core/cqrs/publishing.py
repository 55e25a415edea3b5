"""Publishes an event outside of a unit of work by opening one, so that all events take the same path."""

from dataclasses import dataclass
from typing import Any

from app.core.cqrs.aggregate import RaisedEvent
from app.core.cqrs.messages import DomainEvent, ICommand
from app.core.cqrs.plan import Kind, Plan
from app.core.cqrs.policies.transactional import Transactional
from app.core.cqrs.ports import Ports
from app.core.cqrs.work import current_work


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
        work = current_work()
        assert work is not None, "it is transactional, on a bus that has units of work"
        work.published.append(RaisedEvent(command.event))


def publishing_plan(ports: Ports, bus: Any) -> Plan:
    """The plan for storing such an event."""
    return Plan(
        kind=Kind.COMMAND,
        message_type=PublishEvent,
        handler=PublishEventHandler(),
        timeout_seconds=None,
        policies={Transactional: Transactional(None, None, True)},
        ports=ports,
        bus=bus,
    )
