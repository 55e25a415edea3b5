"""Who this service is: the name and the version of the distribution that it is installed as."""

import json
import re
from functools import lru_cache
from importlib.metadata import Distribution, entry_points
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

APP = Path(__file__).resolve().parents[1]
ENTRY_POINT = "app.cli:app"
"""What only the distribution of a service brings: several are told apart by where they are."""


class Identity(NamedTuple):
    """Empty texts: the code runs as it lies there, and was not installed."""

    name: str = ""
    version: str = ""


@lru_cache(maxsize=1)
def installed_as() -> Identity:
    """The distribution that this code is of, with its name as package registries compare them: `orders-service`."""
    for entry_point in entry_points(group="console_scripts", value=ENTRY_POINT):
        distribution = entry_point.dist
        if distribution is not None and _is_of(distribution, APP):
            return Identity(re.sub(r"[-_.]+", "-", distribution.name).lower(), distribution.version)
    return Identity()


def _is_of(distribution: Distribution, package: Path) -> bool:
    """Whether this package is of that distribution: installed with it, or the folder that it was installed from."""
    if Path(str(distribution.locate_file("app"))).resolve() == package:
        return True
    installed_from = json.loads(distribution.read_text("direct_url.json") or "{}").get("url", "")
    return Path(unquote(urlsplit(installed_from).path)).resolve() == package.parent
