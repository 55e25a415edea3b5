"""`make update` and `make choose`: a service takes over a later commit of the template, or other answers.

A service runs these from a clone of its template, so the newest way of updating is always used.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import after
from scripts.merging import merge, rehearse
from scripts.migrations import migrations_in
from scripts.own_code import Use, module_of, tables_in, uses, uses_of_tables
from scripts.pins import settle_pins
from scripts.rendering import branch_of, commit_of, files_in, questions_of, render
from scripts.service import RECORD, UNDO, Service, UpdateError, is_same, listed, open_service
from scripts.upgrades import is_in


def update(service: Service, to: str, given: dict[str, str], goals: str) -> int:
    """Take over a later commit of the template; the exit code of the service's own check.

    Args:
        service: the one to change.
        to: a release, a tag, a branch or a commit; empty: the branch that it was made from, or the newest commit here.
        given: answers to questions that are new.
        goals: the targets of the service's Makefile that check the result.

    Raises:
        UpdateError: if something has to be said or done first; then nothing was changed.
    """
    to = branch_of(to or service.record.get("checkout")) or to or "HEAD"
    before, now = commit_of(service.commit), commit_of(to)
    if not is_in(before, now):
        raise UpdateError(
            f"{service.folder.name} is at {before}, which {to} does not have: this would take it back. "
            "Say TO= with a branch or a commit that has it."
        )
    answers = _with_new(service.answers, now, given)
    if before == now:
        print(f"{service.folder.name} is up to date.")
        return 0
    evolve(service, before, now, answers)
    return subprocess.run(["make", "--no-print-directory", *goals.split()], cwd=service.folder, check=False).returncode


def choose(service: Service, given: dict[str, str], data: str) -> None:
    """Take over what other answers give, at the commit that the service is up to date with.

    Args:
        service: the one to change.
        given: the answers that change.
        data: what becomes of the sample's tables when it is given up: `drop` or `keep`.

    Raises:
        UpdateError: if something has to be said or done first; then nothing was changed.
    """
    commit = commit_of(service.commit)
    offered = {question: answers for question, answers in questions_of(commit).items() if isinstance(answers, list)}
    if not given.keys() <= offered.keys():
        raise UpdateError(f"Only these are choices, see `make choose`: {', '.join(offered).upper()}.")
    if not given:
        print(
            "Say what to choose, such as `make choose BROKER=nats`. The choices are, what the service has in brackets:"
        )
        for question, answers in offered.items():
            marked = (f"[{one}]" if one == service.answers.get(question) else one for one in answers)
            print(f"    {question.upper()}={'|'.join(marked)}")
        return
    for question, answer in given.items():
        if answer not in offered[question]:
            raise UpdateError(f"{question.upper()} is one of {', '.join(offered[question])}, but not {answer!r}.")
    if given.items() <= service.answers.items():
        print(f"{service.folder.name} has chosen that already.")
        return
    evolve(service, commit, commit, {**service.answers, **given}, data)
    print("Now run `make check`.")


def evolve(service: Service, before: str, now: str, answers: dict[str, str], data: str = "") -> None:
    """Merge what differs between what the template made and what it makes, and say what was done.

    Args:
        service: the one to change.
        before: the commit of the template that it is up to date with.
        now: the commit to merge. If it is the same, the answers differ, and parts may be given up.
        answers: those that the service has from now on.
        data: what becomes of the tables of a part that is given up.

    What needs no code of the service comes first, for all of it: that code may hold conflicts afterwards.

    Raises:
        UpdateError: if code of the team stands in the way, and nothing was changed; or with the commands that are left.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folders = Path(scratch, "old"), Path(scratch, "new")
        for folder in folders:
            folder.mkdir()
        old, new = render(before, service.answers, folders[0]), render(now, answers, folders[1])
        was, will = files_in(old), files_in(new)
        gone = [one for one in migrations_in(old) if before == now and one.file not in will]
        if before == now:
            _refuse_uses(service, old, was, will)
        _refuse_collisions(service, was, will)
        if gone and data != "keep":
            rehearse(service, old, new)
        after.settle_data(service, gone, data)
        merged = merge(service, old, new, follows_renames=before != now)
        service.write_record(now, answers)
        service.git("add", RECORD)
        after.tell(merged)
        if gone:
            after.redirect_own(service, gone)
        if before != now:
            due = [after.INSTALL, *after.catch_up(service, old, new, will, (before, now))]
        elif due := after.join_migrations(service, old, new):
            due.insert(0, after.INSTALL)
        problem = "Solve the conflicts" if merged.conflicts else ""
        if "pyproject.toml" in merged.conflicts:
            due.insert(0, ["make", "pins"])
        elif unfit := settle_pins(service, new, answers["python_version"]):
            due.insert(0, ["make", "pins"])
            problem = f"{unfit}\nChange that{', solve the conflicts' if problem else ''}"
    after.finish(service, due, problem)
    print(f"Look at the changes with `git diff HEAD`, and commit them. {UNDO}")


def _with_new(answers: dict[str, str], now: str, given: dict[str, str]) -> dict[str, str]:
    """The answers to the questions of a later commit.

    Raises:
        UpdateError: if one of them has to be chosen, or an answer is for no question.
    """
    asked = questions_of(now)
    if unknown := given.keys() - asked.keys():
        raise UpdateError(f"The template does not ask for {', '.join(sorted(unknown))}.")
    if changed := {one.upper() for one, answer in given.items() if answers.get(one, answer) != answer}:
        raise UpdateError(f"{', '.join(sorted(changed))} was answered otherwise: `make choose` changes an answer.")
    known = {question: answer for question, answer in answers.items() if question in asked} | given
    new = {one: offered for one, offered in asked.items() if one not in known and isinstance(offered, list)}
    if new:
        words = " ".join(f"{one.upper()}={offered[0]}" for one, offered in new.items())
        raise UpdateError(
            "The template has new questions. Say what the service has or shall have, the first is the default:\n"
            + "".join(f"    {one.upper()}={'|'.join(offered)}\n" for one, offered in new.items())
            + f"such as: make update {words}"
        )
    return known


def _refuse_uses(service: Service, old: Path, was: dict[str, bytes], will: dict[str, bytes]) -> None:
    """Refuse to give up modules and tables that the code of the team uses."""
    own, gone = service.own_files(was), was.keys() - will.keys()
    imported = uses(service.folder, own, {module_of(file) for file in gone})
    if found := [*imported, *uses_of_tables(service.folder, own, tables_in(old, gone))]:
        raise UpdateError(f"Your code uses what would be given up; change it first:\n{listed(map(Use.__str__, found))}")


def _refuse_collisions(service: Service, was: dict[str, bytes], will: dict[str, bytes]) -> None:
    """Refuse to write over a file that the template did not make."""
    new = ((name, service.folder / name) for name in will.keys() - was.keys())
    taken = [name for name, path in new if path.is_file() and not is_same(path, will[name])]
    if taken:
        raise UpdateError(f"The template has files of these names, too; rename yours first:\n{listed(taken)}")


def main() -> None:
    """Update a service, or choose other answers for it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("what", choices=("update", "choose"))
    parser.add_argument("--service", type=Path, required=True, help="the folder of the service")
    parser.add_argument("--to", default="", help="the release or commit to update to (the newest of its branch)")
    parser.add_argument("--goals", default="check", help="what checks an update: targets of the service (check)")
    parser.add_argument("--data", default="", help="what becomes of the sample's tables: drop or keep")
    parser.add_argument("answers", nargs="*", help="answers, such as BROKER=nats")
    arguments = parser.parse_args()
    given = dict(word.partition("=")[::2] for word in arguments.answers)
    answers = {question.lower(): answer for question, answer in given.items()}
    try:
        service = open_service(arguments.service.resolve())
        if arguments.what == "update":
            sys.exit(update(service, arguments.to, answers, arguments.goals))
        else:
            choose(service, answers, arguments.data)
    except UpdateError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
