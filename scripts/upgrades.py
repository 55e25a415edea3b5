"""What UPGRADES.md declares, and what a release has moved or removed without declaring it.

As a program it prints the second: `python -m scripts.upgrades 1.1.0` compares that release with the working tree.
"""

import ast
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable

from scripts.bake import ROOT, SERVICE
from scripts.own_code import Place, module_of

SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| `(app[\w.]*)` \| (`.+`) \| (?:`(app[\w.]*)`|(.*)) \|$", re.MULTILINE)
STEP = re.compile(r"^- (.+(?:\n  .+)*)", re.MULTILINE)


def releases() -> dict[str, str]:
    """Each release and its commit, the first one first."""
    found: dict[str, str] = json.loads((ROOT / "releases.json").read_text(encoding="utf-8"))
    return found


def section(release: str) -> str:
    """What UPGRADES.md says of a release, or of what is `Unreleased`."""
    words = SECTION.split((ROOT / "UPGRADES.md").read_text(encoding="utf-8"))[1:]
    return dict(zip(words[::2], words[1::2], strict=True)).get(release, "")


def moved_in(release: str) -> dict[Place, str | None]:
    """A module and a name in it -> the module that has the name since this release, or None if nothing has."""
    return {
        (was, name): now or None
        for was, names, now, _ in ROW.findall(section(release))
        for name in re.findall(r"`(\w+)`", names)
    }


def steps_of(release: str) -> list[str]:
    """What is to be done by hand."""
    return [" ".join(step.split()) for step in STEP.findall(section(release))]


def since(commit: str, until: str = "HEAD") -> list[str]:
    """The sections of what came after a commit, and before or in a later one; the first one first."""
    found, begin = [], ""
    for release, end in [*releases().items(), ("Unreleased", "")]:
        if not (end and is_in(end, commit)) and not (begin and is_in(until, begin)):
            found.append(release)
        begin = end
    return found


def moved_between(commit: str, until: str) -> dict[Place, str]:
    """What has moved after one commit, and has the place that is declared in a later one."""
    there = names_at(until)
    moved = {place: now for one in since(commit, until) for place, now in moved_in(one).items()}
    return {(was, name): now for (was, name), now in moved.items() if now and (now, name) in there}


def steps_between(commit: str, until: str) -> list[str]:
    """What is to be done by hand after one commit, and was not said there already."""
    told = subprocess.run(
        ["git", "show", f"{commit}:UPGRADES.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    known = " ".join(told.stdout.split())
    return [step for one in since(commit, until) for step in steps_of(one) if step not in known]


def names_at(commit: str | None) -> set[Place]:
    """Each module of the service at a commit, or in the working tree, with each public name that it defines."""
    return {(module_of(file), name) for file, text in _sources(commit) for name in _defined(ast.parse(text))}


def undeclared(release: str, declared: Iterable[Place]) -> list[Place]:
    """What the service had at a release, and has neither now nor in a declaration."""
    there, now, told = names_at(releases()[release]), names_at(None), set(declared)
    return sorted(there - now - told)


def _sources(commit: str | None) -> Iterable[tuple[str, str]]:
    if commit is None:
        paths = sorted((ROOT / SERVICE).glob("app/**/*.py"))
        return [(path.relative_to(ROOT / SERVICE).as_posix(), path.read_text(encoding="utf-8")) for path in paths]
    words = ["git", "archive", commit, f"{SERVICE}/app"]
    archive = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        found = {file.name: files.extractfile(file) for file in files if file.name.endswith(".py")}
        return [(name.removeprefix(f"{SERVICE}/"), text.read().decode()) for name, text in found.items() if text]


def _defined(tree: ast.Module) -> Iterable[str]:
    """The public classes and functions, and what else has a small letter first; constants are nobody's interface."""
    named = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    named += [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    named += [one.id for one in assigned if isinstance(one, ast.Name) and one.id[0].islower()]
    return [name for name in named if not name.startswith("_") and name != "logger"]


def is_in(commit: str, later: str) -> bool:
    """Whether a later commit, or the same, has this one."""
    words = ["git", "merge-base", "--is-ancestor", commit, later]
    return subprocess.run(words, cwd=ROOT, check=False, capture_output=True).returncode == 0


def main() -> None:
    """Print what is undeclared, as rows for UPGRADES.md."""
    release = sys.argv[1]
    told = [place for one in (*since(releases()[release]), release) for place in moved_in(one)]
    by_module: dict[str, list[str]] = {}
    now = names_at(None)
    for module, name in undeclared(release, told):
        places = [other for other, same in now if same == name]
        by_module.setdefault(f"`{module}` | {{}} | {f'`{places[0]}`' if len(places) == 1 else ''}", []).append(
            f"`{name}`"
        )
    print("\n".join(f"| {row.format(', '.join(names))} |" for row, names in sorted(by_module.items())))


if __name__ == "__main__":
    main()
