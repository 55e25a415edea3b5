"""The migrations that the code has, as Alembic reads them, and which follows which."""

import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

from app.core.cqrs import ConfigurationError

# Alembic takes longer to import than all the rest of this package.

SCRIPTS = Path(__file__).resolve().parents[3] / "migrations"
BEFORE_THE_RECORD = re.compile(r"(?!\d{4}_\d+$)")
"""What a database without a record may have had. `0002_1` is the template's name for one that was put in later."""


def alembic_config(**attributes: Any) -> Any:
    """Alembic's settings. What there is to say, `app db` says; Alembic would write to the standard output."""
    from alembic.config import Config

    config = Config(stdout=StringIO(), attributes=attributes)
    for name, value in {
        "script_location": SCRIPTS,
        "path_separator": "os",
        "file_template": "%(rev)s_%(slug)s",
    }.items():
        config.set_main_option(name, str(value).replace("%", "%%"))
    return config


class Revisions:
    """All migrations of the code.

    Args:
        follows: each revision, and those that it follows or depends on, which come before it.
        modules: what each of them does.
    """

    def __init__(self, follows: Mapping[str, Collection[str]], modules: Mapping[str, ModuleType]) -> None:
        self.modules = modules
        self._before: dict[str, frozenset[str]] = {}
        for revision, earlier in follows.items():
            self._before[revision] = frozenset(earlier).union(*(self._before[one] for one in earlier))

    @property
    def known(self) -> list[str]:
        """All of them, each after those that it follows."""
        return list(self._before)

    @property
    def newest(self) -> str:
        """The last one.

        Raises:
            ConfigurationError: there is none, or there are two that nothing follows.
        """
        last = self.heads_of(self._before)
        if len(last) != 1:
            raise ConfigurationError(
                f"There must be one last migration in {SCRIPTS / 'versions'}, but there is: "
                f"{', '.join(sorted(last)) or 'none'}. Let one of them follow the other, by its `down_revision`, or "
                'join them by a third: `app db revision --merge "what they are"`.'
            )
        return last[0]

    def up_to(self, revisions: Iterable[str]) -> set[str]:
        """These, and all that come before them."""
        return {earlier for one in revisions for earlier in (one, *self._before[one])}

    def after(self, revision: str, among: Collection[str]) -> list[str]:
        """Those among these that come after the revision because they follow it, the last one first."""
        return [one for one in reversed(self.known) if one in among and revision in self._before[one]]

    def heads_of(self, applied: Collection[str]) -> list[str]:
        """Those of the applied ones that no other applied one comes after."""
        return [one for one in self._before if one in applied and not self.after(one, applied)]


def read_revisions() -> Revisions:
    """Read the migrations of the code.

    Raises:
        ConfigurationError: they are in no order: two have one name, one follows what is not there or itself.
    """
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    scripts = ScriptDirectory.from_config(alembic_config())
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Revision .* is (not present|present more than once)")
            # Alembic knows no public name for what a migration follows and what it depends on, both.
            walked = list(scripts.walk_revisions())
            follows = {one.revision: one._all_down_revisions for one in reversed(walked)}
    except (CommandError, UserWarning, KeyError) as error:
        raise ConfigurationError(
            f"The migrations in {SCRIPTS / 'versions'} are in no order. {str(error).rstrip('.')}. "
            "Each needs a name of its own, and must follow one that is there."
        ) from error
    return Revisions(follows, {one.revision: one.module for one in walked})
