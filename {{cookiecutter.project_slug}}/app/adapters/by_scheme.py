"""Finds the file of the adapter that a URL asks for: `memory://` and the port cache are in `cache_memory.py`."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from app import adapters
from app.core.cqrs import ConfigurationError

ENCRYPTED = {"amqps": "amqp", "https": "http", "kafkas": "kafka", "rediss": "redis"}
"""Scheme -> the one of the same adapter without TLS."""


def adapter_module(port: str, url: str, extra: str | None = None, setting: str | None = None) -> ModuleType:
    """The module of a port's adapter for this URL; only that one is imported.

    Args:
        port: what the names of its adapters begin with.
        url: the value of the setting.
        extra: the extra of pyproject.toml with its driver; None: the one that is named like the scheme.
        setting: where the URL is from; None: the setting that is named like the port.

    Raises:
        ConfigurationError: there is none for its scheme, or its driver is not installed.
    """
    prefix, setting = f"{port}_", setting or f"{port.upper()}_URL"
    known = [
        found.name.removeprefix(prefix) for found in iter_modules(adapters.__path__) if found.name.startswith(prefix)
    ]
    scheme, separator, _ = url.partition("://")
    name = ENCRYPTED.get(scheme, scheme)
    if not separator or name not in known:
        schemes = sorted([*known, *(scheme for scheme, name in ENCRYPTED.items() if name in known)])
        listed = ", ".join(f"{scheme}://" for scheme in schemes)
        raise ConfigurationError(f"{setting} has a scheme that nobody here understands; there are: {listed}.")
    try:
        return import_module(f"{adapters.__name__}.{prefix}{name}")
    except ImportError as error:
        raise ConfigurationError(
            f"{setting} asks for {name}, whose driver is not installed ({error}): "
            f"install the service with it, '.[{extra or name}]' in place of '.', or run `make install`, which "
            "installs all."
        ) from error
