"""Carries out the instructions of a Dockerfile, stage by stage."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from scripts.image.dockerfile import DockerfileError, Instruction, Stage
from scripts.image.roots import Process, Root

BASE = "python:"
HANDED_ON = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_CERT",
    "SSL_CERT_FILE",
)
"""To RUN: the proxies, as Docker does, and the certificates that this machine trusts."""


@dataclass
class Built:
    """A stage that was built: its files, and how its processes run."""

    stage: Stage
    root: Root
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    folder: str = "/"
    user: str = "0:0"

    def process(self, *command: str, **settings: str) -> Process:
        """A process of the image."""
        return Process(command, self.environment | settings, self.folder, self.user)


@dataclass(frozen=True)
class Context:
    """The folder that an image is built from, without what its .dockerignore leaves out."""

    folder: Path

    def copied(self, name: str, into: Path) -> None:
        """Copy a file, or what is in a folder."""
        lines = (self.folder / ".dockerignore").read_text(encoding="utf-8").splitlines()
        first, *rest = [line for line in lines if line and not line.startswith("#")]
        left_out = [line.removeprefix("**/") for line in rest if line.startswith("**/")]
        if first != "*" or len(left_out) + sum(line.startswith("!") for line in rest) != len(rest):
            raise DockerfileError(".dockerignore: write `*`, then what is needed with `!`, then `**/` what is not.")
        if f"!{name}" not in rest:
            raise DockerfileError(f"COPY {name}: .dockerignore leaves it out.")
        _copy(self.folder / name, into, left_out)


def build(stages: list[Stage], context: Context, into: Path) -> list[Built]:
    """Build all stages below this folder.

    Raises:
        DockerfileError: a step fails, or is not written as ours are.
    """
    done: list[Built] = []
    for number, stage in enumerate(stages):
        if not stage.base.startswith(BASE):
            raise DockerfileError(f"FROM {stage.base}: only an image of Python is simulated here.")
        built = Built(stage, Root(into / str(number)))
        _order(built, "/usr/sbin/ldconfig && python -m ensurepip --default-pip")
        for instruction in stage.instructions:
            _carry_out(instruction, built, done, context)
        done.append(built)
    return done


def _carry_out(instruction: Instruction, built: Built, done: list[Built], context: Context) -> None:
    match instruction.word:
        case "ENV":
            built.environment |= dict(word.split("=", 1) for word in instruction.words())
        case "WORKDIR":
            built.folder = instruction.text
            (built.root.root / instruction.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "USER":
            built.user = instruction.text
        case "RUN":
            print(f"RUN {instruction.text}", flush=True)
            _order(built, instruction.text)
        case "COPY":
            print(f"COPY {instruction.text}", flush=True)
            _carry_over(instruction, built, done, context)


def _order(built: Built, text: str) -> None:
    handed_on = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    done = built.root.run(built.process("sh", "-c", text, HOME="/root", **handed_on), capture_output=True)
    if done.returncode:
        raise DockerfileError(f"RUN {text}\n{done.stdout}{done.stderr}")


def _carry_over(instruction: Instruction, built: Built, done: list[Built], context: Context) -> None:
    *sources, target = instruction.words()
    place = built.root.root / Path("/", built.folder, target).as_posix().lstrip("/")
    for source in sources:
        into = place / source if target.endswith("/") else place
        if stage := instruction.flags.get("--from"):
            (found,) = [one for one in done if one.stage.name == stage]
            _copy(found.root.root / source.lstrip("/"), into, [])
        else:
            context.copied(source, into)


def _copy(source: Path, into: Path, left_out: list[str]) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*left_out))
    else:
        shutil.copy2(source, into)
