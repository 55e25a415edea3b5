"""Imports every module of a package, strictly: what does not import is a problem, and never passed over."""

import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType


def modules_of(package: str, problems: list[str]) -> Iterator[ModuleType]:
    """Import a package, or a single module, and every module below it, ordered by name.

    Args:
        package: its dotted name.
        problems: a sentence is added for each module that does not import.
    """
    root = _imported(package, problems)
    if root is not None:
        yield root
        yield from _walk(root, problems)


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
            f"{name} does not import{_line(error)}: {type(error).__name__}: {error}. Correct it, or remove it."
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
