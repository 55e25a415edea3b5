"""Finds the file of the adapter that a URL asks for: `memory://` and the port cache are in `cache_memory.py`."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from app import adapters
from app.core.cqrs import ConfigurationError


def adapter_module(port: str, url: str) -> ModuleType:
    """The module of a port's adapter for this URL; only that one is imported.

    Raises:
        ConfigurationError: there is none for its scheme.
    """
    prefix = f"{port}_"
    known = [
        found.name.removeprefix(prefix) for found in iter_modules(adapters.__path__) if found.name.startswith(prefix)
    ]
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in known:
        listed = ", ".join(f"{name}://" for name in known)
        raise ConfigurationError(f"{port.upper()}_URL has a scheme that nobody here understands; there are: {listed}.")
    return import_module(f"{adapters.__name__}.{prefix}{scheme}")
