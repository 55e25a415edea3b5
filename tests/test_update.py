"""A service takes later changes of the template, by cruft, and keeps its own."""

import shlex
import shutil
import sys
from pathlib import Path

from scripts.bake import SERVICE, bake_from
from tests.support import run

IDENTITY = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def say(*command: str, cwd: Path) -> str:
    """Run a command that has to work."""
    answer = run(*command, cwd=cwd, **IDENTITY, HOME=str(cwd.parent))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def commit(folder: Path, message: str) -> None:
    """Commit everything as it is."""
    say("git", "add", "--all", cwd=folder)
    say("git", "commit", "--quiet", "--message", message, cwd=folder)


def repository(template: Path, folder: Path) -> Path:
    """The template as a git repository that cruft can clone."""
    shutil.copytree(template, folder)
    say("git", "init", "--quiet", "--initial-branch", "main", cwd=folder)
    commit(folder, "first")
    return folder


def as_in_the_readme(command: str, source: Path) -> list[str]:
    """The words of a command, with this environment's cruft and the repository's address filled in."""
    words = shlex.split(command.replace("<this repository>", shlex.quote(str(source))))
    return [str(Path(sys.executable).with_name("cruft")), *words[1:]]


def test_cruft_brings_the_templates_change_and_keeps_the_services_own(template: Path, tmp_path: Path) -> None:
    source = repository(template, tmp_path / "template")
    say(*as_in_the_readme("cruft create <this repository>", source), "--no-input", cwd=tmp_path)
    service = tmp_path / "pizzeria"
    commit(service, "baked")
    (service / "README.md").write_text(f"{(service / 'README.md').read_text()}\nOur own words.\n")
    commit(service, "our own")

    makefile = source / SERVICE / "Makefile"
    makefile.write_text(f"{makefile.read_text()}\n# A later thought.\n")
    commit(source, "later")
    assert run(*as_in_the_readme("cruft check", source), cwd=service).returncode == 1
    say(*as_in_the_readme("cruft update", source), "--skip-apply-ask", cwd=service)

    assert (service / "Makefile").read_text().endswith("# A later thought.\n")
    assert "Our own words." in (service / "README.md").read_text()
    say(*as_in_the_readme("cruft check", source), cwd=service)


def test_a_service_baked_without_cruft_joins(template: Path, tmp_path: Path) -> None:
    source = repository(template, tmp_path / "template")
    service = bake_from(template, tmp_path)

    say(*as_in_the_readme("cruft link <this repository>", source), "--no-input", cwd=service)

    say(*as_in_the_readme("cruft check", source), cwd=service)
