"""Writes files, and keeps on record how to restore what was there to the byte."""

import json
import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.cli.new.guide import ROOT
from app.cli.new.planning import VERSIONS, Change
from app.cli.terminal import CommandError, quiet_settings

RECORD = ROOT / ".app-new.json"
"""What was written and not taken back, the last one last. It is in .gitignore."""


def write(command: str, changes: Iterable[Change]) -> None:
    """Write files. The record comes first, so that `undo` restores them even if this ends half-way.

    Args:
        command: what was typed, to show it again.
        changes: the files.
    """
    files = [
        {
            "path": one.path,
            "before": one.before,
            "after": _digest(one.after.encode()),
            "folders": _new_folders(one.path),
        }
        for one in changes
    ]
    _save([*_saved(), {"command": command, "files": files}])
    for one in changes:
        path = ROOT / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.after.encode())


def undo() -> tuple[str, list[str]]:
    """Restore what was there before the last use case was written.

    Returns:
        What was typed then, and the files.

    Raises:
        CommandError: if there is nothing to take back, a file was changed since, or its migration is applied.
    """
    record = _saved()
    if not record:
        raise CommandError("There is nothing to take back: `app new` has written nothing here, or all is taken back.")
    files = record[-1]["files"]
    if changed := [file["path"] for file in files if not _is_untouched(file)]:
        raise CommandError(f"Nothing was taken back, because this was changed since: {', '.join(changed)}.")
    _require_unused([Path(file["path"]) for file in files])
    for file in files:
        _restore(file)
    _save(record[:-1])
    return record[-1]["command"], [file["path"] for file in files]


def _is_untouched(file: dict[str, Any]) -> bool:
    """Whether a file is as it was written, or was never written."""
    path, before = ROOT / file["path"], file["before"]
    if not path.exists():
        return before is None
    found = path.read_bytes()
    return _digest(found) == file["after"] or (before is not None and found == before.encode())


def _require_unused(paths: list[Path]) -> None:
    """Make sure that the database has none of these migrations, and that no other follows them.

    Without its file, nobody could revert a migration, nor put another after it.
    """
    written = {path.stem.partition("_")[0] for path in paths if path.parent.as_posix() == VERSIONS}
    if not written:
        return
    for path in (ROOT / VERSIONS).glob("*.py"):
        if path.relative_to(ROOT) not in paths and any(one in path.read_text(encoding="utf-8") for one in written):
            raise CommandError(f"Nothing was taken back, because the migration {path.name} follows: remove that first.")
    settings = quiet_settings()
    scheme, _, file = settings.database_url.partition(":///")
    if "sqlite" in scheme and not Path(file.partition("?")[0]).exists():
        return
    from app.persistence.schema.applied import read
    from app.persistence.schema.runner import run_alone

    found = run_alone(settings, read)
    if applied := written & (found.finished | found.begun):
        raise CommandError(
            f"Nothing was taken back, because migration {min(applied)} is applied to the database: run "
            "`app db downgrade -1` first, or keep it."
        )


def _restore(file: dict[str, Any]) -> None:
    path = ROOT / file["path"]
    if file["before"] is not None:
        path.write_bytes(file["before"].encode())
        return
    path.unlink(missing_ok=True)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    for folder in (ROOT / name for name in file["folders"]):
        if {one.name for one in folder.glob("*")} <= {"__pycache__"}:
            shutil.rmtree(folder, ignore_errors=True)


def _new_folders(path: str) -> list[str]:
    """The folders that a file needs and that are not there, the innermost first."""
    return [folder.as_posix() for folder in Path(path).parents if not (ROOT / folder).exists()]


def _saved() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else []
    return found


def _save(record: list[dict[str, Any]]) -> None:
    if record:
        RECORD.write_text(json.dumps(record, indent=1), encoding="utf-8")
    else:
        RECORD.unlink(missing_ok=True)


def _digest(text: bytes) -> str:
    return sha256(text).hexdigest()
