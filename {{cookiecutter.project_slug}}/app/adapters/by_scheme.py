"""Selects the adapter module for a URL by its scheme: `memory://` and the port `cache` give `cache_memory.py`."""

from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from app import adapters
from app.core.cqrs import ConfigurationError


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
    name = scheme if scheme in known else scheme.removesuffix("s")
    if not separator or name not in known:
        raise ConfigurationError(_unknown(setting, prefix, known))
    try:
        module = _module(prefix, name)
    except ImportError as error:
        raise ConfigurationError(
            f"{setting} asks for {name}, whose driver is not installed ({error}): "
            f"install the service with it, '.[{extra or name}]' in place of '.', or run `make install`, which "
            "installs all."
        ) from error
    if scheme not in _schemes(name, module):
        raise ConfigurationError(_unknown(setting, prefix, known))
    return module


def _module(prefix: str, name: str) -> ModuleType:
    return import_module(f"{adapters.__name__}.{prefix}{name}")


def _schemes(name: str, module: ModuleType) -> list[str]:
    """The scheme without TLS, and if the adapter has one, that with TLS."""
    return [name, module.ENCRYPTED] if hasattr(module, "ENCRYPTED") else [name]


def _unknown(setting: str, prefix: str, known: list[str]) -> str:
    schemes = set(known)
    for name in known:
        with suppress(ImportError):  # its driver is not installed
            schemes.update(_schemes(name, _module(prefix, name)))
    listed = ", ".join(f"{scheme}://" for scheme in sorted(schemes))
    return (
        f"{setting} has a scheme that nobody here understands; there are: {listed}. For another one, make the service "
        f"again with another answer to the template's questions, or add app/adapters/{prefix}SCHEME.py."
    )
