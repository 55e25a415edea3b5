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
    known = [one.name.removeprefix(prefix) for one in iter_modules(adapters.__path__) if one.name.startswith(prefix)]
    scheme, separator, _ = url.partition("://")
    name = scheme if scheme in known else scheme.removesuffix("s")
    if separator and name in known:
        try:
            module = _module(prefix, name)
        except ImportError as error:
            raise _not_installed(setting, name, extra or name, error) from error
        if scheme in _schemes(name, module):
            return module
    raise ConfigurationError(_unknown(setting, prefix, known))


def _not_installed(setting: str, name: str, extra: str, error: ImportError) -> ConfigurationError:
    return ConfigurationError(
        f"{setting} asks for {name}, whose driver is not installed ({error}): install the service with it, "
        f"'.[{extra}]' in place of '.', or run `make install`, which installs all."
    )


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
