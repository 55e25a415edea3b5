"""Reads a Dockerfile: the instructions that ours uses, and no others."""

import json
import re
import shlex
from dataclasses import dataclass, field

KNOWN = {"COPY", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "RUN", "USER", "WORKDIR"}
FLAGS = {"COPY": {"--from"}, "HEALTHCHECK": {"--interval", "--timeout", "--start-period", "--retries"}}
VARIABLE = re.compile(r"\$\{(\w+)\}")


class DockerfileError(Exception):
    """An instruction is not known here, or is not written as ours are."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its flags, and the words after them as a text."""

    word: str
    text: str
    flags: dict[str, str]

    def words(self) -> list[str]:
        """The words, as the shell would split them."""
        return shlex.split(self.text)

    def command(self) -> list[str]:
        """The command in exec form.

        Raises:
            DockerfileError: it is in shell form, whose first process is a shell that hands on no signals.
        """
        text = self.text.removeprefix("CMD ") if self.word == "HEALTHCHECK" else self.text
        if not text.startswith("["):
            raise DockerfileError(f"{self.word} {text}: write it in exec form, as a list.")
        return [str(word) for word in json.loads(text)]


@dataclass
class Stage:
    """A stage: what it is based on, and what is done."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, word: str) -> Instruction:
        """The last instruction of a kind, which counts.

        Raises:
            DockerfileError: there is none.
        """
        found = [one for one in self.instructions if one.word == word]
        if not found:
            raise DockerfileError(f"The last stage has no {word}.")
        return found[-1]


def stages_of(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order.

    Raises:
        DockerfileError: an instruction is not known, or a variable has no value.
    """
    values: dict[str, str] = {}
    stages: list[Stage] = []
    for line in lines_of(text):
        word, _, rest = line.partition(" ")
        if word == "ARG" and not stages:
            name, _, value = rest.partition("=")
            values[name] = value
        elif word == "FROM":
            base, _, name = _filled(rest, values).partition(" AS ")
            stages.append(Stage(base, name))
        elif word in KNOWN and stages:
            stages[-1].instructions.append(_instruction(word, rest))
        else:
            raise DockerfileError(f"{word} is not known here: {line}")
    return stages


def lines_of(text: str) -> list[str]:
    """The instructions, each on one line, without comments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [" ".join(line.split()) for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()]


def _filled(text: str, values: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise DockerfileError(f"{found[0]} has no value before the first FROM.")
        return values[found[1]]

    return VARIABLE.sub(value, text)


def _instruction(word: str, rest: str) -> Instruction:
    flags = {}
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        name, _, value = flag.partition("=")
        if name not in FLAGS.get(word, set()):
            raise DockerfileError(f"{word} with {name} is not known here.")
        flags[name] = value
    return Instruction(word, rest, flags)
