"""Parts that a service may lack. A part consists of whole files, and is active if they are present."""

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic_settings import BaseSettings

PART_OF = {
    "BROKER_URL": ("a broker", "broker"),
    "TRACES_URL": ("traces", "telemetry"),
    "ERROR_REPORTS_URL": ("error reports", "telemetry"),
}
"""Setting -> the part that it switches on, and the question of the template whose answer brings that part."""


def optional(module: str) -> Any | None:
    """The module of a part; None if this service lacks the part.

    Raises:
        ImportError: if the module is present and cannot be imported.
    """
    try:
        found = find_spec(module)
    except ModuleNotFoundError as error:  # of the package around it
        if not module.startswith(f"{error.name}."):
            raise
        found = None
    return None if found is None else import_module(module)


def setting_without_part(kind: type[BaseSettings], values: Mapping[str, object]) -> str | None:
    """A sentence about a setting that switches on a part which this service lacks; None if there is no such setting.

    Args:
        kind: all settings of this service.
        values: settings given in code; those in the environment and in `.env` are looked at, too.
    """
    file = kind.model_config.get("env_file")
    in_file = dotenv_values(file) if isinstance(file, Path) and file.is_file() else {}
    given = {name.upper() for name, value in {**in_file, **os.environ, **values}.items() if value}
    for name, (part, question) in PART_OF.items():
        if name in given and name.lower() not in kind.model_fields:
            return (
                f"{name} is set, but this service was made without {part}: remove the setting, or make the service "
                f"again with another answer to the template's question `{question}`."
            )
    return None
