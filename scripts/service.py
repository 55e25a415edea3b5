"""A service that the template has made: its folder in a git repository, and its record in `.cruft.json`."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORD = ".cruft.json"
UNDO = "`git add --all . && git restore --staged --worktree .` in the service's folder takes its files back."
WHO = {f"GIT_{who}_{what}": "template" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# What settings of a person would change in what is read, or in what a merge does. The others stay: how lines end in the
# working tree, and how conflicts look, are the person's business.
SETTINGS = {
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "merge.renameLimit": "7000",  # git's own default, which a `diff.renameLimit` lowers
    "rerere.enabled": "false",  # it stages what it solves, and then git fails without a conflict
    "status.showUntrackedFiles": "normal",
    "submodule.recurse": "false",
}


class UpdateError(Exception):
    """A sentence that says why nothing was changed, and what to do."""


@dataclass(frozen=True)
class Service:
    """A service and what it knows of its template.

    Args:
        folder: the folder of the service, which may be a part of a bigger repository.
        record: what `.cruft.json` holds.
    """

    folder: Path
    record: dict[str, Any]

    @property
    def commit(self) -> str:
        """The commit of the template that it is up to date with."""
        commit: str = self.record["commit"]
        return commit

    @property
    def answers(self) -> dict[str, str]:
        """The answers that it was made with."""
        answers: dict[str, str] = self.record["context"]["cookiecutter"]
        return {question: answer for question, answer in answers.items() if not question.startswith("_")}

    def git(self, *words: str, **environment: str) -> str:
        """What git prints, run in the service's folder.

        Raises:
            UpdateError: if git fails; the sentence is its own.
        """
        done = self.try_git(*words, **environment)
        if done.returncode != 0:
            raise UpdateError(f"git {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def try_git(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The same, where a failure is an answer, too."""
        command = ["git", *(word for item in SETTINGS.items() for word in ("-c", "=".join(item))), *words]
        whole = os.environ | WHO | {"LC_ALL": "C"} | environment
        return subprocess.run(command, cwd=self.folder, env=whole, capture_output=True, text=True, check=False)

    def files(self) -> set[str]:
        """The files that git knows of."""
        return set(filter(None, self.git("ls-files", "-z").split("\0")))

    def own_files(self, made: Mapping[str, bytes]) -> set[str]:
        """The files that are the team's, or that it has changed.

        Args:
            made: each file that the template has made, and its bytes.
        """
        paths = ((file, self.folder / file) for file in self.files())
        return {file for file, path in paths if path.is_file() and not (file in made and is_same(path, made[file]))}

    def write_record(self, commit: str, answers: dict[str, str]) -> None:
        """Note what it is up to date with from now on; keys that a person has added stay."""
        context = {"cookiecutter": dict(sorted(answers.items()))}
        whole = {**self.record, "commit": commit, "context": context}
        (self.folder / RECORD).write_text(f"{json.dumps(whole, indent=2)}\n", encoding="utf-8")


def open_service(folder: Path) -> Service:
    """The service in this folder, if an update may begin.

    Raises:
        UpdateError: if it has no record of its template, no commit that git can read, or uncommitted changes.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UpdateError(
            f"{folder.name} does not say which template it was made from. Tell it once: "
            "`cruft link ADDRESS --checkout COMMIT`, with the address and the commit of the template."
        ) from None
    service = Service(folder, record)
    head = service.try_git("rev-parse", "--verify", "--quiet", "HEAD")
    if head.returncode != 0:
        reason = head.stderr.strip()
        if reason and "not a git repository" not in reason:
            raise UpdateError(f"git cannot read {folder.name}: {reason}")
        raise UpdateError(f"{folder.name} has no commit yet. Commit it first, so that all that changes can be seen.")
    if service.git("status", "--porcelain", "."):
        raise UpdateError(f"{folder.name} has changes that are not committed. Commit or stash them first.")
    return service


def is_same(path: Path, made: bytes) -> bool:
    """Whether a file is what the template has made; the ends of its lines may be those of another system."""
    return path.read_bytes().replace(b"\r\n", b"\n") == made.replace(b"\r\n", b"\n")


def listed(names: Iterable[str]) -> str:
    """Names, one on each line."""
    return "".join(f"    {name}\n" for name in sorted(names))
