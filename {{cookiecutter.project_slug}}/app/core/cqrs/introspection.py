"""Introspection of a bus: its handler classes, their number, and a description that can be dumped as JSON."""

from dataclasses import replace
from typing import Any

from pydantic_core import to_jsonable_python

from app.core.cqrs.middleware import Middlewares
from app.core.cqrs.pipeline import compile_steps
from app.core.cqrs.plan import Kind, Plan
from app.core.cqrs.policies.authorize import Authorize
from app.core.cqrs.ports import Ports

PLURALS = {Kind.COMMAND: "commands", Kind.QUERY: "queries", Kind.EVENT: "events"}


class Introspection:
    """Base class of the bus's registry: it holds the registered handlers and middleware, which `Registry` fills.

    `_answering` has the one handler of each command or query, `_reacting` all event handlers.
    """

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self._answering: dict[type, Plan] = {}
        self._reacting: list[Plan] = []
        self._middlewares = Middlewares()

    def get_registered_handlers(self) -> dict[str, dict[type, Any]]:
        """Message type -> handler class under `commands` and `queries`; event type -> list of them under `events`."""
        found: dict[str, dict[type, Any]] = {"commands": {}, "queries": {}, "events": {}}
        for message_type, plan in self._answering.items():
            found[PLURALS[plan.kind]][message_type] = plan.handler_type
        for plan in self._reacting:
            found["events"].setdefault(plan.message_type, []).append(plan.handler_type)
        return found

    def get_handler_count(self) -> dict[str, int]:
        """The number of registrations by kind, and their `total`; a class counts once for each registered message."""
        counts = dict.fromkeys(PLURALS.values(), 0)
        for plan in (*self._answering.values(), *self._reacting):
            counts[PLURALS[plan.kind]] += 1
        return {**counts, "total": sum(counts.values())}

    def describe(self) -> dict[str, Any]:
        """Describe the bus as JSON data: the pipeline of each command and query, and the handlers of each event.

        Keys are class names; a second command or query of the same name has its module in front. Pipelines are compiled
        for this, with the middleware.

        Raises:
            PolicyError: if a behaviour must be built by the scope, and the bus has not started.
        """
        found: dict[str, dict[str, Any]] = {"commands": {}, "queries": {}, "events": {}}
        for message_type, plan in self._answering.items():
            described, name = found[PLURALS[plan.kind]], message_type.__name__
            described[f"{message_type.__module__}.{name}" if name in described else name] = {
                "handler": plan.handler_type.__name__,
                "timeout_seconds": plan.timeout_seconds,
                "open_to_everybody": plan.policy(Authorize) is None,
                "policies": {type(policy).__name__: _plain(policy) for policy in plan.policies.values()},
                "steps": compile_steps(self._with_middleware(plan))[1],
            }
        for plan in self._reacting:
            reactions = found["events"].setdefault(plan.message_type.__name__, [])
            reactions.append({"handler": plan.handler_type.__name__, "in_transaction": plan.in_transaction})
        return found

    def _with_middleware(self, plan: Plan) -> Plan:
        return replace(plan, middlewares=self._middlewares.around(plan.kind, plan.message_type, self.ports))


def _plain(policy: Any) -> Any:
    """The fields of a policy as JSON data; classes and functions are replaced by their names."""
    return to_jsonable_python(policy, fallback=lambda value: getattr(value, "__qualname__", repr(value)))
