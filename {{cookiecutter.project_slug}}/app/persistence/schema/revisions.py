"""The migrations in the code, as Alembic reads them, and their order."""

import os
import re
import warnings
from argparse import Namespace
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

from app.core.cqrs import ConfigurationError
from app.core.identity import installed_as

# Alembic takes longer to import than the rest of this package, so only functions that need it do.

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
FORMERLY = SCRIPTS.parents[1] / "migrations" / "versions"
"""Where a service had its migrations before they were part of the package."""
BEFORE_THE_RECORD = re.compile(r"(?!\d{4}_\d+$)")
"""Migrations that a database without a record may have had. The template names later insertions like `0002_1`."""


def alembic_config(**attributes: Any) -> Any:
    """Alembic's configuration. Alembic prints nothing: `app db` prints its own messages."""
    from alembic.config import Config

    config = Config(stdout=StringIO(), cmd_opts=Namespace(quiet=True, x=None), attributes=attributes)
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
        follows: revision -> those that it follows or depends on, which must come first in the mapping.
        modules: revision -> its module, with `upgrade()` and `downgrade()`.
    """

    def __init__(self, follows: Mapping[str, Collection[str]], modules: Mapping[str, ModuleType]) -> None:
        self.modules = modules
        self._before: dict[str, frozenset[str]] = {}
        for revision, earlier in follows.items():
            self._before[revision] = frozenset(earlier).union(*(self._before[one] for one in earlier))

    @property
    def known(self) -> list[str]:
        """All revisions, each after those that it follows."""
        return list(self._before)

    @property
    def newest(self) -> str:
        """The last revision.

        Raises:
            ConfigurationError: if there is none, or more than one.
        """
        last = self.heads_of(self._before)
        if len(last) != 1:
            raise ConfigurationError(
                f"There must be one last migration in {SCRIPTS / 'versions'}, but there is: "
                f"{', '.join(sorted(last)) or 'none'}. Let one of them follow the other, by its `down_revision`, or "
                'merge them: `app db revision --merge "what they are"`.'
            )
        return last[0]

    def name_for_now(self) -> str:
        """A name for the next revision: the current time, or shortly after it, where that is taken."""
        moment = datetime.now(UTC)
        while (name := f"{moment:%Y%m%d%H%M%S}") in self._before:
            moment += timedelta(seconds=1)
        return name

    def up_to(self, revisions: Iterable[str]) -> set[str]:
        """These revisions and all that come before them."""
        return {earlier for one in revisions for earlier in (one, *self._before[one])}

    def after(self, revision: str, among: Collection[str]) -> list[str]:
        """The revisions among these that directly or indirectly follow this one, the last one first."""
        return [one for one in reversed(self.known) if one in among and revision in self._before[one]]

    def heads_of(self, applied: Collection[str]) -> list[str]:
        """The applied revisions that no other applied revision follows."""
        return [one for one in self._before if one in applied and not self.after(one, applied)]


def require_writable() -> None:
    """Make sure that a new migration can be written where the others are.

    Raises:
        ConfigurationError: if this code was installed from a wheel, or the folder cannot be written.
    """
    folder = SCRIPTS / "versions"
    if installed_as().is_copy:
        reason = "which is an installed copy of the code"
    elif not os.access(folder, os.W_OK):
        reason = "which this user cannot write"
    else:
        return
    raise ConfigurationError(
        f"A migration would be written to {folder}, {reason}: run `app db revision` in a checkout of the service."
    )


def read_revisions() -> Revisions:
    """Read the migrations of the code.

    Raises:
        ConfigurationError: if they have no order: two have the same id, one follows itself or one that is missing; or
            if some are where they were before.
    """
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    if not installed_as().is_copy and [*FORMERLY.glob("*.py")]:
        raise ConfigurationError(f"Move the migrations in {FORMERLY} to {SCRIPTS / 'versions'}: only these are read.")
    scripts = ScriptDirectory.from_config(alembic_config())
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Revision .* is (not present|present more than once)")
            # Alembic has no public attribute for all predecessors of a migration: followed ones and dependencies.
            walked = list(scripts.walk_revisions())
            follows = {one.revision: one._all_down_revisions for one in reversed(walked)}
    except (CommandError, UserWarning, KeyError) as error:
        raise ConfigurationError(
            f"The migrations in {SCRIPTS / 'versions'} have no order. {str(error).rstrip('.')}. "
            "Each needs a name of its own, and must follow one that is there."
        ) from error
    return Revisions(follows, {one.revision: one.module for one in walked})
