"""Discovers handlers, behaviours and events by importing a package, and reports everything in it that cannot work."""

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from app.core.class_checks import is_base, is_message, unbuildable, unfinished
from app.core.cqrs import DiscoveryError, DomainEvent, ICommand, PipelineBehavior
from app.core.cqrs.plan import Kind, declarations_of, declared_handlers
from app.core.generics import path_of
from app.core.modules import modules_of


@dataclass
class Discovered:
    """The contents of a package, ordered by the names of its modules, and the problems found."""

    modules: list[ModuleType] = field(default_factory=list)
    handlers: list[type] = field(default_factory=list)
    behaviors: list[type] = field(default_factory=list)
    events: list[type[DomainEvent]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[type]:
        """The classes that the modules declare; those that they import belong to other modules."""
        return [cls for module in self.modules for cls in _classes_of(module)]


def discover(package: str, on_error: Literal["raise", "report"] = "raise") -> Discovered:
    """Import every module of a package, and collect the handlers, behaviours and events in it.

    Args:
        package: its dotted name, or that of a single module.
        on_error: "raise" refuses a package with any problem in it. "report" continues after a problem and lists it
            in `problems`.

    Raises:
        DiscoveryError: if there are problems; it lists every one with its cure.
    """
    found = Discovered()
    found.modules = [*modules_of(package, found.problems)]
    for cls in found.classes:
        _collect(cls, found)
    _check_answering(found)
    if on_error == "raise":
        refuse(package, found.problems)
    return found


def require_found(packages: Collection[str], root: str) -> None:
    """Make sure that imported handlers, behaviours and events are in packages where they are discovered.

    Args:
        packages: the packages that are searched for handlers and events.
        root: the package of the service; its `core` is not checked.

    Raises:
        DiscoveryError: if one is in another module; it would never be registered.
    """
    places = (*(f"{package}." for package in (*packages, f"{root}.core")), *packages)
    declared = [cls for cls in declared_handlers if any(one.auto_register for one in declarations_of(cls))]
    imported = dict.fromkeys((*declared, *_subclasses(PipelineBehavior), *_subclasses(DomainEvent)))
    here = [cls for cls in imported if cls.__module__.startswith(f"{root}.") and _is_in_its_module(cls)]
    refuse(
        root,
        [
            f"{path_of(cls)} is in a module that is not searched, so it would not be used: move the module into one "
            f"of {', '.join(packages)}."
            for cls in here
            if not cls.__module__.startswith(places)
        ],
    )


def _is_in_its_module(cls: type) -> bool:
    """Whether its module still contains it: its base knows a class that `dataclass` has replaced for a while."""
    return getattr(sys.modules.get(cls.__module__), cls.__name__, None) is cls


def _subclasses(cls: type[Any]) -> Iterator[type]:
    for one in cls.__subclasses__():
        yield one
        yield from _subclasses(one)


def refuse(package: str, problems: list[str]) -> None:
    """Raise a DiscoveryError if there are problems; it lists all of them."""
    if problems:
        raise DiscoveryError("\n".join([f"{package} cannot be used as it is:", *(f"- {p}" for p in problems)]))


def _collect(cls: type, found: Discovered) -> None:
    found.problems += unfinished(cls)
    if issubclass(cls, DomainEvent):
        found.events.append(cls)
    registrable = any(declaration.auto_register for declaration in declarations_of(cls))
    if registrable or (issubclass(cls, PipelineBehavior) and not is_base(cls)):
        problem = unbuildable(cls)
        if problem is not None:
            found.problems.append(problem)
        else:
            (found.handlers if registrable else found.behaviors).append(cls)


def _classes_of(module: ModuleType) -> list[type]:
    return [
        member
        for member in dict.fromkeys(value for value in vars(module).values() if isinstance(value, type))
        if member.__module__ == module.__name__
    ]


def _check_answering(found: Discovered) -> None:
    """Check that each command and query has one handler."""
    declared: set[type] = set()
    automatic: dict[type, list[type]] = {}
    for cls in found.classes:
        for one in declarations_of(cls):
            if one.kind is not Kind.EVENT:
                declared.add(one.message_type)
                if one.auto_register:
                    automatic.setdefault(one.message_type, []).append(cls)
    for message, handlers in automatic.items():
        if len(handlers) > 1:
            named = " and by ".join(map(path_of, handlers))
            found.problems.append(f"{path_of(message)} is handled by {named}: remove all but one of them.")
    for message in filter(is_message, found.classes):
        if message not in declared:
            kind = "command" if issubclass(message, ICommand) else "query"
            found.problems.append(
                f"{path_of(message)} has no handler: declare one with @{kind}_handler({message.__name__}), "
                "or remove the message. A base class of messages must derive from ABC."
            )
