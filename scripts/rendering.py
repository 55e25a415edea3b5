"""A service as the template makes it at one of its commits."""

import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from scripts.bake import ROOT, config_beside
from scripts.service import RECORD, UpdateError
from scripts.upgrades import releases


def commit_of(name: str) -> str:
    """The commit that a release, a tag, a branch or a shortened commit names.

    Raises:
        UpdateError: if there is none, or this clone has no history.
    """
    known = releases()
    words = ["git", "rev-parse", "--verify", "--quiet", f"{known.get(name, name)}^{{commit}}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UpdateError(
            f"The template has no commit {name}. Its releases are {', '.join(known)}; a shallow clone lacks history."
        )
    return done.stdout.strip()


def branch_of(name: str | None) -> str | None:
    """The branch of this name, as git writes it: one of this clone's own, or else of where it comes from."""
    remotes = subprocess.run(["git", "remote"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    origin = remotes[0] if len(remotes) == 1 else "origin"
    for place in ("heads", f"remotes/{origin}") if name and name != "HEAD" else ():
        branch = f"refs/{place}/{name}"
        words = ["git", "show-ref", "--verify", "--quiet", branch]
        if subprocess.run(words, cwd=ROOT, check=False).returncode == 0:
            return branch
    return None


def questions_of(commit: str) -> dict[str, Any]:
    """The questions of a commit, each with its default, or with the list of its answers."""
    words = ["git", "show", f"{commit}:cookiecutter.json"]
    found = json.loads(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    return {question: answer for question, answer in found.items() if not question.startswith("_")}


def render(commit: str, answers: dict[str, str], into: Path) -> Path:
    """Bake the service of a commit; the folder of the result, without a repository and without a record.

    Args:
        commit: one of the template.
        answers: those to questions that the commit does not ask are left out.
        into: an empty folder.

    Raises:
        UpdateError: if the template refuses an answer.
    """
    words = ["git", "-c", "core.autocrlf=false", "archive", commit]  # the commits before .gitattributes are LF, too
    archive = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout
    template = into / "template"
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(template, filter="data")
    baked = _bake(template, into / "baked", {one: answers[one] for one in questions_of(commit) if one in answers})
    shutil.rmtree(template)
    shutil.rmtree(baked / ".git", ignore_errors=True)
    (baked / RECORD).unlink(missing_ok=True)
    return baked


def _bake(template: Path, into: Path, answers: dict[str, str]) -> Path:
    """Bake by cookiecutter as a program, since what hooks print goes to the output of their process."""
    words = ["--no-input", "--config-file", str(config_beside(template)), "--output-dir", str(into), str(template)]
    command = [sys.executable, "-m", "cookiecutter", *words, *(f"{one}={answer}" for one, answer in answers.items())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UpdateError(f"The template cannot be baked with these answers: {done.stderr.strip()}")
    (baked,) = into.iterdir()
    return baked


def files_in(folder: Path) -> dict[str, bytes]:
    """Each file of a baked service, and its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
