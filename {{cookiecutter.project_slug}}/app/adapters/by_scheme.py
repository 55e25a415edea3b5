"""Selects the adapter module for a URL by its scheme: `memory://` and the port `cache` give `cache_memory.py`."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from app import adapters
from app.core.cqrs import ConfigurationError

ENCRYPTED = {"amqps": "amqp", "https": "http", "kafkas": "kafka", "rediss": "redis"}
"""Scheme with TLS -> the scheme of the same adapter without TLS."""


def adapter_module(port: str, url: str, extra: str | None = None, setting: str | None = None) -> ModuleType:
    """Import the module of a port's adapter for this URL, and no other adapter.

    Args:
        port: the prefix of the names of its adapters.
        url: the value of the setting.
        extra: the extra of pyproject.toml that installs its driver; None: the extra named like the scheme.
        setting: the setting that contains the URL; None: the setting named like the port.

    Raises:
        ConfigurationError: if no adapter supports the scheme, or its driver is not installed.
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
