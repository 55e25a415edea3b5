"""Build the image of a service without Docker, and run it: read-only, as its user, without a network."""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bake import bake
from scripts.image.build import Built, Context, build
from scripts.image.dockerfile import DockerfileError, stages_of
from scripts.image.roots import why_not

SECONDS_TO_START, SECONDS_TO_END = 60, 30
SETTINGS = {"DATABASE_URL": "sqlite:////data/app.db", "SQLITE_IN_PRODUCTION": "true"}
"""A file in a volume: the container has no network, so that nothing but the image can be used."""
PLACES = ("/", "/srv", "/opt/venv", "/usr/local/bin", "/etc")
TRY_TO_WRITE = "for place in {}; do if touch $place/x 2>/dev/null; then echo $place; fi; done"


class Container:
    """What runs of an image, with a volume for its data."""

    def __init__(self, built: Built, volume: Path) -> None:
        self.built, self.volume = built, volume
        user, group = map(int, built.user.split(":"))
        os.chown(volume, user, group)
        self._settings = {**SETTINGS, "SECRET_KEY": secrets.token_urlsafe(48)}
        self._entry = built.stage.last("ENTRYPOINT").command()

    @contextmanager
    def running(self, *command: str, log: Path) -> Iterator[subprocess.Popen[str]]:
        """The entry point with this command, as the first process of a container."""
        process = self.built.process(*self._entry, *command, **self._settings)
        with log.open("w") as file:
            running = self.built.root.start(process, self.volume, stdout=file, stderr=file)
        try:
            yield running
        finally:
            running.kill()
            running.wait()

    def beside(self, running: subprocess.Popen[str], *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, to its end."""
        inside = self.built.process(*command, **self._settings)
        words = self.built.root.beside(first_process(running), inside)
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def first_process(running: subprocess.Popen[str]) -> int:
    """The id, outside, of the first process of a container."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    return int(children[0]) if children else running.pid


def wait_until_healthy(container: Container, running: subprocess.Popen[str], log: Path) -> float:
    """Ask the health check until it succeeds; how many seconds that took."""
    check = container.built.stage.last("HEALTHCHECK").command()
    began = time.monotonic()
    while running.poll() is None and time.monotonic() - began < SECONDS_TO_START:
        if container.beside(running, *check).returncode == 0:
            return time.monotonic() - began
        time.sleep(0.1)
    raise DockerfileError(f"The container did not become healthy.\n{log.read_text()}")


def try_out(built: Built, folder: Path) -> None:
    """Migrate, start, wait for the health check, try to write, end by SIGTERM.

    Raises:
        DockerfileError: something of that does not work.
    """
    (folder / "data").mkdir()
    container, log = Container(built, folder / "data"), folder / "log"
    with container.running("db", "upgrade", log=log) as migration:
        if migration.wait(120):
            raise DockerfileError(f"The migration failed.\n{log.read_text()}")
    with container.running(*built.stage.last("CMD").command(), log=log) as service:
        print(f"Healthy after {wait_until_healthy(container, service, log):.1f} s", flush=True)
        user = container.beside(service, "id", "-u").stdout.strip()
        written = container.beside(service, "sh", "-c", TRY_TO_WRITE.format(" ".join(PLACES))).stdout.split()
        if user == "0" or written:
            raise DockerfileError(f"The container runs as user {user}, and can write to: {written or 'nothing'}.")
        os.kill(first_process(service), signal.SIGTERM)
        if code := service.wait(SECONDS_TO_END):
            raise DockerfileError(f"The service ended with {code}.\n{log.read_text()}")
    print(f"Ran as user {user} on a read-only root, and ended with 0 after SIGTERM.")


def main() -> None:
    """Build and run the image of a service, by default one that is baked for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", type=Path, nargs="?", help="the folder of a baked service")
    arguments = parser.parse_args()
    if reason := why_not():
        print(f"The image was not built, because {reason}.")
        return
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        service = arguments.service or bake(folder)
        stages = stages_of((service / "Dockerfile").read_text(encoding="utf-8"))
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"{stages[-1].base} is simulated: Python {version} of this machine, on its operating system.", flush=True)
        try:
            try_out(build(stages, Context(service), folder / "stages")[-1], folder)
        except DockerfileError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
