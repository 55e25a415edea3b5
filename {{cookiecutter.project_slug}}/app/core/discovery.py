"""Discovers handlers, behaviours and events by importing a package, and reports everything in it that cannot work."""

import importlib
import sys
from abc import ABC
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, is_dataclass
from inspect import isabstract
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_type_hints

from typing_extensions import Format, get_annotations

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    DiscoveryError,
    DomainEvent,
    ICommand,
    IQuery,
    PipelineBehavior,
)
from app.core.cqrs.plan import Kind
from app.core.cqrs.registry import declarations_of, declared_handlers

HANDLERS = (BaseCommandHandler, BaseQueryHandler, BaseEventHandler)
MESSAGES = (ICommand, IQuery, DomainEvent)


@dataclass
class Discovered:
    """The contents of a package, ordered by the names of its modules, and the problems found."""

    modules: list[ModuleType] = field(default_factory=list)
    handlers: list[type] = field(default_factory=list)
    behaviors: list[type[PipelineBehavior[Any]]] = field(default_factory=list)
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
    root = _imported(package, found.problems)
    if root is not None:
        found.modules = [root, *_walk(root, found.problems)]
    for module in found.modules:
        _collect(module, found)
        found.events += [cls for cls in _classes_of(module) if issubclass(cls, DomainEvent)]
    _check_answering(found)
    if on_error == "raise":
        _refuse(package, found.problems)
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
    _refuse(
        root,
        [
            f"{_name(cls)} is where nobody looks for such a class, and would not be used: move its module into one of "
            f"{', '.join(packages)}."
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


def _refuse(package: str, problems: list[str]) -> None:
    if problems:
        raise DiscoveryError("\n".join([f"{package} cannot be used as it is:", *(f"- {p}" for p in problems)]))


def _walk(package: ModuleType, problems: list[str]) -> Iterator[ModuleType]:
    """All modules below a package, including nested ones, with or without an `__init__.py`."""
    children = _children(package)
    for name, times in Counter(name for name, _ in children).items():
        if times > 1:
            problems.append(
                f"{package.__name__}.{name} is a module and a folder, and one hides the other: rename one of them."
            )
    for name, path in dict(children).items():
        if not name.isidentifier():
            problems.append(f"{path} cannot be imported: rename it to letters, digits and underscores.")
            continue
        module = _imported(f"{package.__name__}.{name}", problems)
        if module is not None:
            yield module
            if path.is_dir():
                yield from _walk(module, problems)


def _children(package: ModuleType) -> list[tuple[str, Path]]:
    inside = [child for folder in getattr(package, "__path__", ()) for child in Path(folder).iterdir()]
    modules = [(child.stem, child) for child in inside if child.suffix == ".py" and child.stem != "__init__"]
    folders = [(child.name, child) for child in inside if child.is_dir() and [*child.rglob("*.py")]]
    return sorted(modules + [(name, child) for name, child in folders if not name.startswith((".", "__"))])


def _imported(name: str, problems: list[str]) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        problems.append(
            f"{name} does not import{_line(error)}: {type(error).__name__}: {error}. Mend it, or remove it."
        )
        return None


def _line(error: BaseException) -> str:
    """Where the import failed, as far as it is application code and not the import system."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen") and file != __file__ and file != importlib.__file__:
            where = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return where


def _collect(module: ModuleType, found: Discovered) -> None:
    """Collect the classes that this module declares; classes that it imports are collected in their own module."""
    for cls in _classes_of(module):
        found.problems += _halves(cls)
        registrable = any(declaration.auto_register for declaration in declarations_of(cls))
        behavior = issubclass(cls, PipelineBehavior) and not _is_base(cls)
        if not registrable and not behavior:
            continue
        problem = _incomplete(cls)
        if problem is not None:
            found.problems.append(problem)
        elif registrable:
            found.handlers.append(cls)
        else:
            found.behaviors.append(cls)


def _classes_of(module: ModuleType) -> list[type]:
    return [
        member
        for member in dict.fromkeys(value for value in vars(module).values() if isinstance(value, type))
        if member.__module__ == module.__name__
    ]


def _halves(cls: type) -> Iterator[str]:
    """Incomplete declarations, which would have no effect."""
    if issubclass(cls, HANDLERS) and not declarations_of(cls) and not _is_base(cls):
        base = next(base for base in HANDLERS if issubclass(cls, base))
        kind = base.__name__.removeprefix("Base").removesuffix("Handler")
        yield (
            f"{_name(cls)} is a handler of nothing: declare what it handles with @{kind.lower()}_handler(...), or "
            "remove it. A base of handlers derives from ABC."
        )
    if issubclass(cls, MESSAGES) and "__dataclass_fields__" not in vars(cls) and (fields := _fields_of(cls)):
        yield (
            f"{_name(cls)} has {', '.join(fields)}, but is no dataclass, so these are no fields: put "
            "@dataclass(frozen=True) on it."
        )


def _fields_of(cls: type) -> list[str]:
    annotations = get_annotations(cls, format=Format.FORWARDREF)
    return [name for name, annotation in annotations.items() if "ClassVar" not in str(annotation)]


def _is_base(cls: type) -> bool:
    """Whether this class has subclasses, or is meant to have them."""
    return (
        ABC in cls.__bases__
        or bool(cls.__subclasses__())
        or any(getattr(member, "__isabstractmethod__", False) for member in vars(cls).values())
    )


def _incomplete(cls: Any) -> str | None:
    """Why a handler or behaviour cannot be built, as far as that is known without the container."""
    if isabstract(cls):
        return f"{_name(cls)} is abstract: implement {', '.join(sorted(cls.__abstractmethods__))}."
    try:
        get_type_hints(cls.__init__)
    except NameError as error:
        return (
            f"{_name(cls)} has a dependency that cannot be resolved, {error.name}: import it in that module, "
            "and not under TYPE_CHECKING, because the container reads annotations at run time."
        )
    return None


def _check_answering(found: Discovered) -> None:
    """Check that each command and query has one handler."""
    answering: dict[type, list[type]] = {}
    for module in found.modules:
        for cls in _classes_of(module):
            for declaration in declarations_of(cls):
                if declaration.kind is not Kind.EVENT:
                    answering.setdefault(declaration.message_type, []).append(cls)
    for message, handlers in answering.items():
        automatic = [handler for handler in handlers if _auto(handler, message)]
        if len(automatic) > 1:
            named = " and by ".join(map(_name, automatic))
            found.problems.append(f"{_name(message)} is handled by {named}: remove all but one of them.")
    for module in found.modules:
        for message in filter(_is_message, _classes_of(module)):
            if message not in answering:
                found.problems.append(
                    f"{_name(message)} has no handler: declare one with @{_kind(message)}_handler({message.__name__}), "
                    "or remove the message. A base of messages derives from ABC."
                )


def _auto(handler: type, message: type) -> bool:
    return any(one.auto_register and one.message_type is message for one in declarations_of(handler))


def _is_message(cls: type[Any]) -> bool:
    is_base = ABC in cls.__bases__ or isabstract(cls) or (not is_dataclass(cls) and bool(cls.__subclasses__()))
    return not is_base and issubclass(cls, (ICommand, IQuery))


def _kind(message: type) -> str:
    return "command" if issubclass(message, ICommand) else "query"


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
