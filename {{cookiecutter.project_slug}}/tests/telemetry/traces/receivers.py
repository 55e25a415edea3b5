"""Servers that take what the service tells: a collector of spans, and one that understands Sentry's protocol."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.telemetry.processes import POLL_SECONDS


@dataclass(frozen=True)
class SentSpan:
    """A span as it was sent."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    status: int
    attributes: dict[str, str]
    resource: dict[str, str]
    events: int


@dataclass
class Receiver:
    """A server on this machine that keeps what is posted to it."""

    url: str
    status: int
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[Message] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def spans(self) -> list[SentSpan]:
        """The spans in what was posted."""
        return [span for body in list(self.bodies) for span in _spans_in(body)]

    def reports(self) -> list[dict[str, Any]]:
        """The events in what was posted: Sentry's envelopes have three lines for each."""
        lines = [line for body in list(self.bodies) for line in body.splitlines()]
        return [found for line in lines if "exception" in (found := json.loads(line))]

    def __str__(self) -> str:
        return "\n".join(body.decode(errors="replace") for body in list(self.bodies))


@contextmanager
def receiver(*, silent: bool = False, status: int = 200) -> Iterator[Receiver]:
    """A server that answers with this status, or if it is `silent`, not before `may_answer` is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.paths.append(self.path)
            received.headers.append(self.headers)
            received.bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            received.may_answer.wait()
            self.send_response(received.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received = Receiver(f"http://127.0.0.1:{server.server_port}", status)
    if not silent:
        received.may_answer.set()
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield received
    finally:
        received.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _spans_in(body: bytes) -> Iterator[SentSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    for sent in request.resource_spans:
        for scope in sent.scope_spans:
            for span in scope.spans:
                yield SentSpan(
                    name=span.name,
                    kind=span.kind,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    status=span.status.code,
                    attributes=_plain(span.attributes),
                    resource=_plain(sent.resource.attributes),
                    events=len(span.events),
                )


def _plain(attributes: Any) -> dict[str, str]:
    return {one.key: str(getattr(one.value, one.value.WhichOneof("value"))) for one in attributes}
