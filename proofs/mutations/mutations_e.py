"""Guards of what stands at the edge: bodies, the protocol, WebSockets, logs."""

from mutations.mutation import Mutation, outside

BODIES, FORBIDDEN, SOCKETS = (
    "proofs/api/test_bodies.py",
    "proofs/api/test_what_http_forbids.py",
    "proofs/api/test_sockets.py",
)


def storable(name: str, old: str, new: str) -> Mutation:
    """A mutation of what a body may hold."""
    return outside(f"storable({name})", "api/storable.py", old, new, BODIES)


MUTATIONS = [
    storable("sent text", "if (problem := text_problem(sent, len(sent))) is not None:", "if False:"),
    storable("sent keys", "if (problem := text_problem(str(key), len(str(key)))) is not None:", "if False:"),
    storable("depth", "if len(at) > DEEPEST:", "if False:"),
    storable("keys that are the same", "len(sent) != len(made):\n        yield", "False:\n        yield"),
    storable("true is no 1", "isinstance(sent, bool) and not isinstance(made, bool)", "False"),
    storable("integers", "case int() if not LEAST_INT <= made <= LARGEST_INT:", "case int() if False:"),
    storable("numbers", "case float() if not math.isfinite(made):", "case float() if False:"),
    storable("digits", "> MOST_DIGITS:", "> 10**9:"),
    storable("what a float holds", "> EXACT_DIGITS:", "> 10**9:"),
    storable("dates of numbers", 'isinstance(sent, str) and "-" not in sent', "False"),
    storable("zones", "if made.tzinfo is None:", "if False:"),
    storable("years", 'except OverflowError:\n        return "must', 'except ZeroDivisionError:\n        return "must'),
    storable("zones of times", "case time() if made.tzinfo is not None:", "case time() if False:"),
    storable("durations", "case timedelta() if not _fits(made):", "case timedelta() if False:"),
    outside("Body(strict)", "api/models.py", "to_json(sent), strict=True", "to_json(sent), strict=False", BODIES),
    outside("parameters", "api/routing.py", "if not errors and not isinstance(made, Body):", "if False:", BODIES),
    outside("a header twice", "api/limits.py", "names.count(name) > 1]", "names.count(name) > 9]", FORBIDDEN),
    outside("no host", "api/limits.py", 'scope.get("http_version") == "1.1"', "False", FORBIDDEN),
    outside("a host that is none", "api/limits.py", "HOST.fullmatch(host) is None", "False", FORBIDDEN),
    outside("encodings", "api/limits.py", '.lower() != b"chunked"', '.lower() == b""', FORBIDDEN),
    outside("escapes of paths", "api/limits.py", "BROKEN_ESCAPE.search(path)", "None", FORBIDDEN),
    outside("escapes of queries", "api/limits.py", "or BROKEN_ESCAPE.search(query)", "or None", FORBIDDEN),
    outside("preflights", "api/edge.py", "if answer.status_code < 400:", "if True:", FORBIDDEN),
    outside("spellings of tokens", "adapters/tokens_jwt.py", "            _require_canonical(token)\n", "", FORBIDDEN),
    outside("handshakes without an end", "api/protocol.py", "self.conn.handshake_exc is None", "True", FORBIDDEN),
    outside("handshakes that are none", "api/protocol.py", "self.conn.reject = self._reject", "pass", FORBIDDEN),
    outside("pages of others", "api/edge.py", "refuse_foreign_page(headers, self._origins)", "pass", SOCKETS),
    outside("a socket's source", "dependencies.py", 'metadata.source = "websocket"', "pass", SOCKETS),
    outside("a socket's caller", "dependencies.py", "await self.require_caller()", "pass", SOCKETS),
    outside("a socket's key", "dependencies.py", "        if key is not None:\n", "        if False:\n", SOCKETS),
    outside(
        "a socket's end", "api/sockets.py", "elif self._accepted and kind.startswith(", "elif kind.endswith(", SOCKETS
    ),
    outside("later", "api/sockets.py", "CLOSE_CODES.get(self._status,", "CLOSE_CODES.get(0,", SOCKETS),
    outside("long reasons", "api/sockets.py", "[:LONGEST_REASON]", "", SOCKETS),
    outside("who leaves", "api/edge.py", "except WebSocketDisconnect:", "except ZeroDivisionError:", SOCKETS),
    outside("long messages", "cli/service.py", "ws_max_size=settings.max_body_bytes,", "", SOCKETS),
    outside(
        "Body.read", "api/models.py", "cls.model_validate(json.loads(text))", "cls.model_validate_json(text)", BODIES
    ),
    outside(
        "an answer in the last moment",
        "adapters/broker_nats.py",
        "stream_pull_subscriber.TimeoutError = TimeoutError",
        "stream_pull_subscriber.FirstTimeoutError = TimeoutError",
        "proofs/adapters/test_quiet_workers.py",
    ),
]
