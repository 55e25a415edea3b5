"""Root folders, and processes in them that see nothing else, by namespaces and `chroot`: only root may do it."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.own_python import EXECUTABLE, copy_own_python

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""What is the machine's own, read-only; most of these are links into the first."""
NAMES = ("passwd", "group", "hosts", "resolv.conf", "nsswitch.conf", "ld.so.conf", "ld.so.conf.d", "ssl")
ISOLATED = ("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
PROGRAMS = ("unshare", "nsenter", "chroot", "mount", "ip")


def why_not() -> str:
    """Why this machine cannot do it; empty if it can."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"this machine lacks {', '.join(missing)}"
    if os.geteuid() != 0:
        return "only root may change the root folder of a process"
    tried = subprocess.run([*ISOLATED, "--net", "true"], capture_output=True, text=True, check=False)
    return f"this machine forbids it: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass(frozen=True)
class Process:
    """How a process in a root runs."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    user: str = "0:0"


@dataclass
class Root:
    """A root folder; `local` becomes its `/usr/local`, where the base image has Python.

    Args:
        folder: an empty folder for both.
    """

    folder: Path
    root: Path = field(init=False)
    local: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root, self.local = self.folder / "root", self.folder / "local"
        self.root.mkdir(parents=True)
        for name in ("dev", "etc", "proc", "root", "tmp"):
            (self.root / name).mkdir()
        for name in SYSTEM:
            if Path("/", name).is_symlink():
                (self.root / name).symlink_to(Path("/", name).readlink())
            elif Path("/", name).is_dir():
                (self.root / name).mkdir()
        for name in NAMES:
            source = Path("/etc", name)
            if source.is_dir():
                shutil.copytree(source, self.root / "etc" / name, symlinks=True)
            elif source.exists():
                shutil.copy2(source, self.root / "etc" / name)
        copy_own_python(self.local)
        for name in ("python", "python3"):
            (self.local / "bin" / name).symlink_to(EXECUTABLE.name)

    def run(self, process: Process, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a process to its end; it may write everywhere but in the system, and use the network."""
        return subprocess.run([*ISOLATED, "sh", "-c", self._script(process)], text=True, check=False, **options)

    def start(self, process: Process, volume: Path, **options: Any) -> subprocess.Popen[str]:
        """Start the first process of a container: it has no network, and may write to its `/tmp` and `/data` only."""
        script = self._script(process, volume)
        return subprocess.Popen([*ISOLATED, "--net", "sh", "-c", script], text=True, **options)

    def beside(self, pid: int, process: Process) -> list[str]:
        """The command line of a process in the container of another one."""
        return ["nsenter", f"--target={pid}", "--mount", "--pid", "--net", *self._changed(process)]

    def _script(self, process: Process, volume: Path | None = None) -> str:
        root = shlex.quote(str(self.root))
        lines = ["set -e", "mount --make-rprivate /", f"mount --bind {root} {root}"]
        for name in SYSTEM:
            if not (self.root / name).is_symlink() and (self.root / name).is_dir():
                lines += [f"mount --bind /{name} {root}/{name}", f"mount -o remount,ro,bind {root}/{name}"]
        lines += [
            f"mount --bind {shlex.quote(str(self.local))} {root}/usr/local",
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs tmpfs {root}/tmp",  # noqa: S108 - of the container
        ]
        if volume is not None:
            (self.root / "data").mkdir(exist_ok=True)
            lines += [
                f"mount --bind {shlex.quote(str(volume))} {root}/data",
                *(f"mount -o remount,ro,bind {root}{place}" for place in ("/usr/local", "")),
                "ip link set lo up",
            ]
        return "\n".join([*lines, f"exec {shlex.join(self._changed(process))}"])

    def _changed(self, process: Process) -> list[str]:
        given = [f"{name}={value}" for name, value in process.environment.items()]
        inside = ["env", "-i", *given, "sh", "-c", 'cd "$0" && exec "$@"', process.folder, *process.command]
        return ["chroot", f"--userspec={process.user}", "--groups=", str(self.root), *inside]
