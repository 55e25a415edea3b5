"""Checks at registration: whether a handler fits its message, and whether stored names are unique."""

from collections.abc import Iterable, Mapping
from inspect import isabstract, iscoroutinefunction
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from app.core.cqrs.errors import ConfigurationError, PolicyError
from app.core.cqrs.events import AggregateRoot
from app.core.cqrs.plan import Kind, Plan
from app.core.cqrs.policies.cached_query import CachedQuery
from app.core.cqrs.policies.idempotent import Idempotent
from app.core.generics import parts_of, path_of, shown

HOOKS: Mapping[str, Kind] = {
    "_get_affected_entities": Kind.COMMAND,
    **dict.fromkeys(("_get_pagination_info", "_get_cached_result", "_cache_result"), Kind.QUERY),
}


def check_fit(plan: Plan) -> None:
    """Raise a PolicyError if a handler, its message and its declaration do not fit each other."""
    _check_message(plan)
    _check_hooks(plan)
    _check_declaration(plan)
    handler, message = plan.handler_type.__name__, plan.message_type
    if not iscoroutinefunction(getattr(plan.handler_type, "_handle", None)):
        raise PolicyError(f"{handler} needs an `async def _handle(self, {plan.kind.value})`.")
    of_handler = plan.types_of_handler
    if of_handler and isinstance(of_handler[0], type) and not issubclass(message, of_handler[0]):
        raise PolicyError(f"{handler} handles {of_handler[0].__name__}, but is registered for {message.__name__}.")
    if plan.kind is not Kind.EVENT and len(of_handler) == 2:
        _check_answer(plan, of_handler[1])
    if plan.kind is Kind.COMMAND:
        _check_no_aggregate(plan, of_handler[1:])


def _check_message(plan: Plan) -> None:
    handler, message, base = plan.handler_type.__name__, plan.message_type, plan.kind.base
    origin: Any = get_origin(message)
    if origin is not None:
        raise PolicyError(
            f"{handler}: {message!r} is not a class of its own, and messages are told apart by their classes: "
            f"derive one from it, such as `class Own{origin.__name__}({_brief(message)})`, and handle that."
        )
    if not isinstance(message, type) or not issubclass(message, base):
        raise PolicyError(f"{handler}: {message!r} does not inherit {base.__name__}, as every {plan.kind.value} does.")


def _check_hooks(plan: Plan) -> None:
    """Check that the base class and the hooks fit the kind of message, and that the hooks are `async def`."""
    handler, kind = plan.handler_type, plan.kind
    answers_with = getattr(handler, "answers_with", None)
    if answers_with is not None and (kind is Kind.EVENT or answers_with is not plan.result_type):
        raise PolicyError(
            f"{handler.__name__} is registered for a message of another kind than its base class is for: derive it "
            f"from Base{kind.value.capitalize()}Handler, because it handles a{'n' if kind is Kind.EVENT else ''} "
            f"{kind.value}."
        )
    for hook, of_kind in HOOKS.items():
        if not plan.overrides(hook):
            continue
        if kind is not of_kind:
            raise PolicyError(f"{handler.__name__}.{hook} is never called: it is a hook of {of_kind.value} handlers.")
        if not iscoroutinefunction(getattr(handler, hook)):
            raise PolicyError(f"{handler.__name__}.{hook} is awaited: write `async def {hook}(...)`.")


def _check_declaration(plan: Plan) -> None:
    handler, message, seconds = plan.handler_type.__name__, plan.message_type, plan.timeout_seconds
    if seconds is not None and not seconds > 0:
        raise PolicyError(f"{handler}: timeout_seconds={seconds:g} leaves no time; None means no deadline.")
    if plan.in_transaction and getattr(message, "event_source", None) is not None:
        raise PolicyError(
            f"{handler} cannot run in the transaction of {message.__name__}, which happens in another service: leave "
            "in_transaction out."
        )
    if plan.in_transaction and plan.name is not None:
        raise PolicyError(
            f"{handler} has a name and runs in the transaction of {message.__name__}, but only after-commit handlers "
            "are in the inbox and the outbox: leave name out."
        )


def _check_answer(plan: Plan, answer: Any) -> None:
    message: Any = plan.message_type
    declared = message.answer_type()
    if isinstance(declared, TypeVar):
        raise PolicyError(
            f"{message.__name__} is generic, and does not declare the type of its answer: handle a class that does, "
            f"such as `class Own{message.__name__}({message.__name__}[{shown(answer)}])`."
        )
    if not _may_answer(answer, declared):
        raise PolicyError(
            f"{plan.handler_type.__name__} answers {shown(answer)}, but {message.__name__} is answered with "
            f"{shown(declared)}: make them the same."
        )


def _check_no_aggregate(plan: Plan, of_handler: tuple[Any, ...]) -> None:
    message: Any = plan.message_type
    for answer in (message.answer_type(), *of_handler):
        aggregate = next((part for part in parts_of(answer) if issubclass(part, AggregateRoot)), None)
        if aggregate is not None:
            raise PolicyError(
                f"{plan.handler_type.__name__} answers {shown(answer)}, and so lets the aggregate {aggregate.__name__} "
                "out of its transaction: answer with its id, or with a DTO of what the caller needs to know."
            )


def _may_answer(answer: Any, declared: Any) -> bool:
    if answer is Any or declared is Any or answer == declared:
        return True
    if get_origin(declared) in (Union, UnionType):
        mine = get_args(answer) if get_origin(answer) in (Union, UnionType) else (answer,)
        return all(any(_may_answer(one, other) for other in get_args(declared)) for one in mine)
    return isinstance(answer, type) and isinstance(declared, type) and issubclass(answer, declared)


def _brief(generic: Any) -> str:
    """A generic class with its arguments, as written in code."""
    return f"{get_origin(generic).__name__}[{', '.join(map(shown, get_args(generic)))}]"


def check_aggregates(classes: Iterable[type[AggregateRoot]]) -> None:
    """Raise a ConfigurationError if two aggregates share a name, and neither derives from the other."""
    known: dict[str, type[AggregateRoot]] = {}
    for cls in classes:
        if isabstract(cls):
            continue
        other = known.setdefault(cls.aggregate_type, cls)
        if not issubclass(cls, other) and not issubclass(other, cls):
            raise ConfigurationError(
                f"{path_of(other)} and {path_of(cls)} are both {cls.aggregate_type} in the event log, where their "
                'events would be one stream: give one of them aggregate_type = "...".'
            )


def check_message_names(plans: Iterable[Plan]) -> None:
    """Raise a PolicyError if two idempotent commands, or two cached queries, share a name."""
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
                f"{path_of(other)} and {path_of(plan.message_type)} are both known as {name}, so {kept} would be "
                f'mixed up: give one of them {attribute}: ClassVar[str] = "...".'
            )
