"""Logs: for people or as JSON, with what libraries log, and never with a secret."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import structlog
from pydantic import BaseModel, Field

from app.core.logging import ServiceHandler, SpanIds, configure_logging, current_request

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
logger = structlog.get_logger("shop")


Written = Callable[[], str]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What is written to standard error; the logging of the process is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)


def json_lines(written: Written) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written().splitlines()]


def test_in_production_each_line_is_json(written: Written) -> None:
    configure_logging(json=True)

    logger.info("parcel_sent", parcel_id=17)
    logger.debug("not this")

    (line,) = json_lines(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "parcel_sent", "parcel_id": 17, "level": "info", "logger": "shop"}


def test_in_development_a_line_is_for_people(written: Written) -> None:
    configure_logging(level="debug")

    logger.debug("parcel_sent", parcel_id=17)

    line = written()
    assert "parcel_sent" in line
    assert "parcel_id=17" in line
    assert not line.startswith("{")


@dataclass
class Credentials:
    name: str
    api_key: str


class Body(BaseModel):
    name: str
    password: str


class Pair(NamedTuple):
    user: str
    secret: str


@pytest.mark.parametrize(
    "event",
    [
        {"password": "hunter2"},
        {"new_password": "hunter2"},
        {"Authorization": "Basic hunter2"},
        {"user": {"secret_key": "hunter2"}},
        {"headers": [{"set-cookie": "hunter2"}]},
        {"url": "postgresql+asyncpg://app:hunter2@db:5432/app"},
        {"header": "Bearer hunter2"},
        {"tokens": ["hunter2"]},
        {"command": Credentials("ada", "hunter2")},
        {"command": [Body(name="ada", password="hunter2")]},
        {"pair": Pair("ada", "hunter2")},
        {"pairs": [Pair("ada", "hunter2")]},
        {"error": ConnectionError("postgresql://app:hunter2@db:5432/app refused")},
        {"error": ValueError(f"not valid: {Credentials('ada', 'hunter2')}")},
        {"header": b"Bearer hunter2"},
        {"headers": [(b"authorization", b"Basic hunter2")]},
        {"headers": MappingProxyType({"cookie": "hunter2"})},
        {"seen": {"Bearer hunter2"}},
        {"by_url": {"postgresql://:hunter2@db": 1}},
        {"body": {"a": {"b": {"c": {"d": {"e": {"password": "hunter2"}}}}}}},
        {"body": {UUID(int=1): {("a", "b"): "Bearer hunter2"}}},
        {"request": "GET /orders?limit=1&pass%77ord=hunter2 HTTP/1.1"},
        {"request": "GET /orders?%74oken=hunter2&limit=1 HTTP/1.1"},
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_never_written(written: Written, event: dict[str, Any], as_json: bool) -> None:
    configure_logging(json=as_json)

    logger.info("something", **event)

    line = written()
    assert "***" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_in_an_error_are_not_written_either(written: Written, as_json: bool) -> None:
    configure_logging(json=as_json)
    password = "hunter2"

    try:
        raise ValueError(f"bad token {TOKEN} for postgresql://:{password}@cache/0")
    except ValueError:
        logger.exception("failed")

    line = written()
    assert "ValueError: bad token *** for postgresql://:***@cache/0" in line
    assert TOKEN not in line
    assert "hunter2" not in line


@dataclass
class Card:
    owner: str
    number: str = field(repr=False)


class Account(BaseModel):
    owner: str
    number: str = Field(repr=False)


@dataclass
class Iban:
    number: str

    def __repr__(self) -> str:
        return "an IBAN"


def test_what_the_text_of_an_object_leaves_out_is_not_written(written: Written) -> None:
    configure_logging(json=True)

    logger.info("something", card=Card("ada", "17"), account=Account(owner="ada", number="17"), iban=Iban("17"))

    (line,) = json_lines(written)
    assert (line["card"], line["account"], line["iban"]) == ({"owner": "ada"}, {"owner": "ada"}, "an IBAN")


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_each_value_and_key_is_written_as_json_or_text(written: Written) -> None:
    configure_logging(json=True)

    logger.info("something", by_id={UUID(int=1): 1, ("a", 2): None}, at=date(2026, 1, 1), mute=Mute())
    logger.info("something", command=Credentials("ada", "key"), deep={"a": {"b": {"c": {"d": {"e": 1}}}}})

    one, other = json_lines(written)
    assert one["by_id"] == {str(UUID(int=1)): 1, "('a', 2)": None}
    assert (one["at"], one["mute"]) == ("2026-01-01", "<Mute without a text>")
    assert (other["command"], other["deep"]) == (
        {"name": "ada", "api_key": "***"},
        {"a": {"b": {"c": {"d": "***"}}}},
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_a_record_that_has_no_line_is_not_shown(written: Written, as_json: bool) -> None:
    configure_logging(json=as_json)

    (handler,) = (one for one in logging.getLogger().handlers if isinstance(one, ServiceHandler))
    handler.handle(logging.LogRecord("shop", logging.INFO, __file__, 1, "%d parcels", ("hunter2",), None))

    (line,) = json_lines(written)
    assert line == {"event": "log_line_lost", "level": "error", "logger": "shop", "error_type": "TypeError"}


@pytest.mark.parametrize(
    "text", ["token" * 50_000, "secret=" * 50_000, "passw" + "\\" * 200_000, "token='" * 50_000, "?" + "%" * 200_000]
)
def test_a_long_text_is_searched_in_no_time(written: Written, text: str) -> None:
    configure_logging(json=True)
    start = perf_counter()
    logger.info("something", text=text + ": =")
    assert perf_counter() - start < 2


def test_a_number_named_like_a_secret_is_written(written: Written) -> None:
    configure_logging(json=True)

    logger.info("issued", token_count=3, has_password=True)

    (line,) = json_lines(written)
    assert (line["token_count"], line["has_password"]) == (3, True)


@pytest.mark.parametrize("name", ["uvicorn.error", "uvicorn.access", "alembic.runtime", "anything"])
def test_libraries_log_through_the_same_handler(written: Written, name: str) -> None:
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(StringIO()))  # uvicorn's own, from before
    configure_logging(json=True)

    logging.getLogger(name).warning("from %s", TOKEN, extra={"color_message": "pretty %s"})

    (line,) = json_lines(written)
    assert (line["event"], line["logger"]) == ("from ***", name)
    assert "color_message" not in line


def test_the_context_of_a_request_is_on_every_line(written: Written) -> None:
    configure_logging(json=True)

    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logger.info("ours")
        logging.getLogger("theirs").info("theirs")

    assert [line["request_id"] for line in json_lines(written)] == ["r1", "r1"]


def test_every_line_names_the_request_it_was_written_for(written: Written) -> None:
    configure_logging(json=True)

    named = current_request.set("r1")
    logger.info("ours")
    logging.getLogger("theirs").info("theirs")
    current_request.reset(named)
    logger.info("nobody's")

    assert [line.get("request_id") for line in json_lines(written)] == ["r1", "r1", None]


def test_configured_again_there_is_still_one_handler(written: Written) -> None:
    configure_logging()
    configure_logging(json=True)

    assert sum(isinstance(handler, ServiceHandler) for handler in logging.getLogger().handlers) == 1


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("span_ids", [None, dict])
def test_what_is_logged_after_its_span_names_the_trace(written: Written, span_ids: SpanIds | None) -> None:
    configure_logging(json=True, span_ids=span_ids)

    logger.info("parcel_lost", traceparent=f"00-{TRACE}-{SPAN}-01")

    (line,) = json_lines(written)
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)
    assert "traceparent" not in line


@pytest.mark.parametrize("traceparent", [None, "nonsense", 7])
def test_what_belongs_to_no_trace_names_none(written: Written, traceparent: object) -> None:
    configure_logging(json=True, span_ids=dict)

    logger.info("parcel_lost", traceparent=traceparent)

    (line,) = json_lines(written)
    assert not {"trace_id", "span_id", "traceparent"} & line.keys()


def test_every_line_in_a_span_names_it(written: Written) -> None:
    configure_logging(json=True, span_ids=lambda: {"trace_id": TRACE, "span_id": SPAN})

    logger.info("ours")
    logging.getLogger("theirs").info("theirs")

    assert [(line["trace_id"], line["span_id"]) for line in json_lines(written)] == [(TRACE, SPAN)] * 2


def test_the_audit_trail_is_never_left_out(written: Written) -> None:
    configure_logging(json=True, level="error")

    structlog.get_logger("audit").info("command")
    logger.info("anything else")

    assert [line["event"] for line in json_lines(written)] == ["command"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BEARER hunter2", "BEARER ***"),
        ("postgresql://app:hunter2@db", "postgresql://app:***@db"),
        (f"x{TOKEN} {TOKEN}", f"x{TOKEN} ***"),
        (TOKEN.replace("eyJ", "EYJ"), "***"),
        ("a plain text", "a plain text"),
        ("GET /reset?token=hunter2&page=2", "GET /reset?token=***&page=2"),
        ("Login(name='ada', password='hun\\'ter2', page=2)", "Login(name='ada', password=***, page=2)"),
        ("Login(credentials=Credentials('ada', 'hunter2'))", "Login(credentials=***"),
        ('{"api_key": "hunter2", "page": 2}', '{"api_key": ***, "page": 2}'),
        (r'"{\"api_key\": \"hunter2\"}"', r'"{\"api_key\": ***"}"'),
        ("Cookie: a=1; session=hunter2", "Cookie: ***"),
        ("Authorization: Basic hunter2", "Authorization: ***"),
        ("InvalidTokenError: Signature has expired", "InvalidTokenError: Signature has expired"),
        ("if token == other:", "if token == other:"),
    ],
)
def test_the_look_of_a_secret_is_found_wherever_it_stands(written: Written, text: str, shown: str) -> None:
    configure_logging(json=True)
    logger.info("something", text=text)
    (line,) = json_lines(written)
    assert line["text"] == shown
