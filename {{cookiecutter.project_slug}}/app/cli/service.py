"""`app run` and `app worker`: the service, with HTTP and without."""

import asyncio
import errno
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.terminal import CommandError
from app.core.addresses import listed
from app.core.config import Settings, load_settings
from app.core.identity import APP

if TYPE_CHECKING:
    import uvicorn

GRACE_SECONDS = 20
INTERRUPTED = 130


def run(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8000,
    *,
    reload: Annotated[bool, typer.Option("--reload", help="Start anew after each change to the code.")] = False,
) -> None:
    """Serve the API over HTTP, in one process, until SIGTERM or Ctrl+C."""
    with ended_by_signals():
        settings = load_settings()
        if reload and settings.environment == "production":
            raise CommandError("--reload is for development: in production the code does not change while it runs.")
        listener = listen(host, port)
        address = f"[{host}]" if ":" in host else host
        typer.echo(f"Starting on http://{address}:{listener.getsockname()[1]}, Ctrl+C stops it.", err=True)
        if reload:
            serve_anew(settings, listener)
            return
        from app.main import create_app

        serve(create_app(settings), settings, listener)


class _Terminated(BaseException):
    """SIGTERM came. Not a SystemExit, which discovery takes for a module that does not import."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end what is inside, as success, and Ctrl+C with 130; the server finishes its requests first."""

    def end(*_: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _Terminated:
        return
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except SystemExit:  # uvicorn's, when the service does not start; it has logged why
        raise typer.Exit(1) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def worker() -> None:
    """Deliver events, without HTTP, until SIGTERM or Ctrl+C."""
    with ended_by_signals():
        from app.composition.telemetry import configure_logs
        from app.worker import work

        settings = load_settings()
        configure_logs(settings)
        typer.echo("Starting to deliver events, Ctrl+C stops it.", err=True)
        collect_rarely()
        if asyncio.run(work(settings)) is signal.SIGINT:
            raise KeyboardInterrupt


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound to this address.

    Raises:
        CommandError: if the port is taken, or the address is not of this machine.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            advice = "end the program that uses it, or take another with --port"
            raise CommandError(f"Port {port} of {host} is taken: {advice}.") from error
        raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from error
    return listener


def serve(app: Callable[..., Any], settings: Settings, listener: socket.socket) -> None:
    """Serve an ASGI app on this socket."""
    import uvicorn

    config = server_config(app, settings)
    collect_rarely()
    uvicorn.Server(config).run(sockets=[listener])


def serve_anew(settings: Settings, listener: socket.socket) -> None:
    """Serve the service on this socket from a child process, and replace that after each change to the code."""
    import uvicorn
    from uvicorn.supervisors import ChangeReload

    config = server_config("app.main:create_app", settings, factory=True, reload=True, reload_dirs=[str(APP)])
    ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listener]).run()


def collect_rarely() -> None:
    """Let the garbage collector search for cycles less often, from here on.

    Imported objects stay, and a request or a reaction leaves few cycles: that saves a tenth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 50)


def server_config(app: Callable[..., Any] | str, settings: Settings, **more: Any) -> "uvicorn.Config":
    """The configuration of the server. A WebSocket message may be as long as a request body."""
    import uvicorn

    from app.api.protocol import ProblemProtocol

    proxies = listed(settings.trusted_proxies)
    return uvicorn.Config(
        app,
        http=ProblemProtocol,
        ws_max_size=settings.max_body_bytes,
        lifespan="on",
        log_config=None,
        access_log=settings.environment == "development",
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **more,
    )
