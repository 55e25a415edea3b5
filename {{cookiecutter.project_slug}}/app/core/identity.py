"""The identity of this service: the name, version and description of the distribution that it is installed as."""

import json
import re
from functools import lru_cache
from importlib.metadata import Distribution, entry_points
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

APP = Path(__file__).resolve().parents[1]
ENTRY_POINT = "app.cli:app"
"""Only the distribution of a service declares this entry point; their locations tell several services apart."""


class Identity(NamedTuple):
    """Empty texts mean that the code runs from its folder, and was not installed."""

    name: str = ""
    version: str = ""
    is_copy: bool = False
    """Whether this code is a copy of the installer's, as from a wheel, and not the folder that people work in."""
    description: str = ""


@lru_cache(maxsize=1)
def installed_as() -> Identity:
    """The distribution that contains this code, its name normalized as in package registries: `orders-service`."""
    for entry_point in entry_points(group="console_scripts", value=ENTRY_POINT):
        distribution = entry_point.dist
        if distribution is not None and _is_of(distribution, APP):
            name = re.sub(r"[-_.]+", "-", distribution.name).lower()
            told = str(distribution.metadata.json.get("summary", ""))
            return Identity(name, distribution.version, _holds(distribution, APP), told)
    return Identity()


def _is_of(distribution: Distribution, package: Path) -> bool:
    """Whether the distribution contains this package: installed with it, or the folder it was installed from."""
    if _holds(distribution, package):
        return True
    installed_from = json.loads(distribution.read_text("direct_url.json") or "{}").get("url", "")
    return Path(unquote(urlsplit(installed_from).path)).resolve() == package.parent


def _holds(distribution: Distribution, package: Path) -> bool:
    return Path(str(distribution.locate_file("app"))).resolve() == package
