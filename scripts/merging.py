"""Merges what changed between two bakes of the template into a service, by git's own three-way merge.

The base of the merge is the service as the template made it before. So git sees which changes are the team's and which
are the template's, also where one of them has moved a file or a whole folder.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bake import ROOT
from scripts.service import Service, UpdateError

WRITTEN_WHOLE = ("tests/engine.sha256", "constraints.txt")
"""What the template writes as a whole: the digests of its engine, and the exact versions, see `scripts/pins.py`."""


@dataclass
class Merged:
    """What a merge could not simply take over.

    Attributes:
        conflicts: files that both have changed at the same lines; they hold git's markers.
        kept: files that the template no longer has, but that the team has changed; they stay.
        deleted: files that the team has deleted and the template has changed; they stay deleted.
    """

    conflicts: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def merge(service: Service, old: Path, new: Path, *, follows_renames: bool) -> Merged:
    """Change the working tree and the index by what differs between two bakes. Nothing is committed.

    Args:
        service: the one to change, with a clean working tree.
        old: the service as the template made it.
        new: the service as the template makes it now.
        follows_renames: whether a file that only the new bake has may be one that only the old bake has, renamed.

    Raises:
        UpdateError: if git fails; then no file was changed.
    """
    base = service.git("commit-tree", "-m", "The template before", _tree(service, old)).strip()
    target = service.git("commit-tree", "-m", "The template now", "-p", base, _tree(service, new)).strip()
    renames = "find-renames" if follows_renames else "no-renames"
    # Files of 1.1.0 and before may be committed with CRLF; what the template changes in them gets the ends that it has.
    settings = ("-c", "merge.directoryRenames=true", "-c", f"core.attributesFile={ROOT / '.gitattributes'}")
    options = ("--strategy-option", renames, "--strategy-option", "renormalize")
    picked = service.try_git(*settings, "cherry-pick", "--no-commit", *options, target)
    unmerged = _unmerged(service)
    if picked.returncode != 0 and not unmerged:
        raise UpdateError(f"git could not merge, and changed no file: {picked.stderr.strip()}")
    merged = _settled(service, unmerged)
    for name in WRITTEN_WHOLE:
        if (new / name).is_file():
            shutil.copy2(new / name, service.folder / name)
            service.git("add", "--force", name)
    return merged


def rehearse(service: Service, old: Path, new: Path) -> None:
    """Merge what other answers change, and take it back: tables that were dropped would not come back.

    Args:
        service, old, new: as for `merge`.

    Raises:
        UpdateError: if git fails.
    """
    merge(service, old, new, follows_renames=False)
    service.git("add", "--all", ".")
    service.git("restore", "--staged", "--worktree", ".")


def _tree(service: Service, folder: Path) -> str:
    """The tree of HEAD, with the service's folder in the state of another folder."""
    prefix = service.git("rev-parse", "--show-prefix").strip()
    directory = service.git("rev-parse", "--absolute-git-dir").strip()
    with tempfile.TemporaryDirectory() as scratch:
        index, top = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}, Path(scratch, "top")
        shutil.copytree(folder, top / prefix, symlinks=True)
        service.git("read-tree", "HEAD", **index)
        service.git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", ".", **index)
        place = ("-C", str(top), f"--git-dir={directory}", f"--work-tree={top}")
        service.git(*place, "add", "--force", "--all", prefix or ".", **index)
        return service.git("write-tree", **index).strip()


def _unmerged(service: Service) -> dict[str, str]:
    """The files that git could not merge, each with the two letters of `git status`, relative to the service."""
    prefix = service.git("rev-parse", "--show-prefix").strip()
    lines = service.git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", ".").split("\0")
    states = {line[3:].removeprefix(prefix): line[:2] for line in lines if line}
    return {name: state for name, state in states.items() if "U" in state or state in ("AA", "DD")}


def _settled(service: Service, unmerged: dict[str, str]) -> Merged:
    """Settle by rule what only one side can have meant, and list the rest."""
    merged = Merged()
    for name, state in unmerged.items():
        if state == "DU":  # deleted by the team, changed by the template
            service.git("rm", "--quiet", "--force", "--", name)
            merged.deleted.append(name)
        elif state == "UD":  # changed by the team, deleted by the template
            service.git("add", "--", name)
            merged.kept.append(name)
        elif name not in WRITTEN_WHOLE:
            merged.conflicts.append(name)
    return merged
