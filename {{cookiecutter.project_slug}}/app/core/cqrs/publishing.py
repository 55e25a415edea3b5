"""An event that is published outside of a unit of work gets one: there is one way from an event to its reactions."""

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
    """Store an event; what reacts after the commit is delivered from the event log."""

    event: DomainEvent

    def get_command_name(self) -> str:
        """The event's name, for logs."""
        return f"publish {self.event.event_type}"


class PublishEventHandler:
    """Lets the event join the unit of work."""

    async def _handle(self, command: PublishEvent) -> None:
        work = current_work()
        assert work is not None, "it is transactional, on a bus that has units of work"
        work.published.append(RaisedEvent(command.event))


def publishing_plan(ports: Ports, bus: Any) -> Plan:
    """How such an event is stored."""
    return Plan(
        kind=Kind.COMMAND,
        message_type=PublishEvent,
        handler=PublishEventHandler(),
        timeout_seconds=None,
        policies={Transactional: Transactional(None, None, True)},
        ports=ports,
        bus=bus,
    )
