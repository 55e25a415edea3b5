"""What endpoints ask for: the bus that knows the request, the caller, the page."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.core.config import Settings
from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    BusinessRuleViolationError,
    ConflictError,
    CQRSBus,
    ICommand,
    IQuery,
    get_cqrs_bus,
    idempotent,
    transactional,
)
from app.dependencies import AnonymousBus, Bus, CurrentUser, Page
from app.main import create_app
from tests.databases import ON_SQLITE
from tests.lifespan import started
from tests.users import People, Person

pytestmark = ON_SQLITE


@dataclass(frozen=True)
class Ask(IQuery[dict[str, Any]]):
    """What does the handler see?"""


@dataclass(frozen=True)
class Tell(ICommand[dict[str, Any]]):
    """What does the handler see?"""


@dataclass(frozen=True)
class TellMore(ICommand[dict[str, Any]]):
    """What does the handler of another command see?"""


@dataclass(frozen=True)
class Pay(ICommand[str | None]):
    """Under which key is it paid?"""

    is_refused: bool = False
    is_declined: bool = False


@transactional(rollback_on=[ConflictError])
@idempotent()
class PayHandler(BaseCommandHandler[Pay, str | None]):
    async def _handle(self, command: Pay) -> str | None:
        if command.is_refused:
            raise ConflictError("This card is refused.")
        if command.is_declined:
            raise BusinessRuleViolationError("This card is declined, and we have noted that.")
        return command.metadata.idempotency_key


class AskHandler(BaseQueryHandler[Ask, dict[str, Any]]):
    async def _handle(self, query: Ask) -> dict[str, Any]:
        return asdict(query.metadata)


class TellHandler(BaseCommandHandler[Tell, dict[str, Any]]):
    async def _handle(self, command: Tell) -> dict[str, Any]:
        return asdict(command.metadata)


class TellMoreHandler(BaseCommandHandler[TellMore, dict[str, Any]]):
    async def _handle(self, command: TellMore) -> dict[str, Any]:
        return asdict(command.metadata)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)

    @app.post("/seen")
    async def seen(bus: Bus) -> list[Any]:
        return [(await bus.execute_command(Tell())).unwrap(), (await bus.execute_query(Ask())).unwrap()]

    @app.post("/keys")
    async def keys(bus: Bus, own: str | None = None) -> list[Any]:
        commands: list[ICommand[dict[str, Any]]] = [Tell(), Tell(), TellMore(), Tell()]
        commands[1].metadata.idempotency_key = own
        sent = [*commands, commands[0]]
        return [(await bus.execute_command(command)).unwrap()["idempotency_key"] for command in sent]

    @app.post("/paid")
    async def paid(bus: Bus) -> list[Any]:
        sent = [Pay(is_refused=True), Pay(), Pay(is_refused=True), Pay()]
        return [(await bus.execute_command(command)).data for command in sent]

    @app.post("/declined")
    async def declined(bus: Bus) -> list[Any]:
        sent = [Pay(is_declined=True), Pay()]
        return [(await bus.execute_command(command)).data for command in sent]

    @app.post("/seen-anonymously")
    async def seen_anonymously(bus: AnonymousBus) -> Any:
        return (await bus.execute_command(Tell())).unwrap()

    @app.post("/seen-by-the-process")
    async def seen_by_the_process(bus: Annotated[CQRSBus, Depends(get_cqrs_bus)]) -> Any:
        return (await bus.execute_command(Tell())).unwrap()

    @app.get("/who")
    async def who(user: CurrentUser) -> Any:
        return str(user.user_id)

    @app.get("/page")
    async def page(page: Page) -> Any:
        return [page.page, page.page_size]

    async with started(app):
        app.state.service.bus.register_command_handler(Tell, TellHandler())
        app.state.service.bus.register_command_handler(TellMore, TellMoreHandler())
        app.state.service.bus.register_command_handler(Pay, PayHandler())
        app.state.service.bus.register_query_handler(Ask, AskHandler())
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        yield client


@pytest.fixture
async def ada(app: FastAPI) -> Person:
    return await People(app.state.service.bus).member()


@pytest.fixture
async def token(ada: Person) -> str:
    return (await ada.login()).unwrap().access_token


async def test_messages_carry_who_asked_and_for_which_request(client: AsyncClient, ada: Person, token: str) -> None:
    headers = {
        "Authorization": f"Bearer {token}",
        "X-Request-ID": "r1",
        "X-Correlation-ID": "c1",
        "Idempotency-Key": "k1",
    }
    for seen in (await client.post("/seen", headers=headers)).json():
        assert seen["user_id"] == str(ada.id)
        assert seen["correlation_id"] == "c1"
        assert seen["idempotency_key"] == "k1"
        assert seen["source"] == "http"


async def test_commands_of_one_request_have_a_key_each(client: AsyncClient) -> None:
    keys = (await client.post("/keys", headers={"Idempotency-Key": "k"})).json()

    assert keys == ["k", "k 2", "k", "k 3", "k"], "the last is the first command, executed again"
    assert (await client.post("/keys")).json() == [None] * 5


async def test_a_failed_command_uses_up_no_key(client: AsyncClient) -> None:
    keys = (await client.post("/paid", headers={"Idempotency-Key": "k"})).json()

    assert keys == [None, "k", None, "k 2"], "when the request is repeated, both that were paid have the same key again"


async def test_a_failure_that_is_stored_uses_up_its_key(client: AsyncClient) -> None:
    for _ in range(2):
        assert (await client.post("/declined", headers={"Idempotency-Key": "k"})).json() == [None, "k 2"]


async def test_a_key_that_an_endpoint_chose_is_kept(client: AsyncClient) -> None:
    keys = (await client.post("/keys?own=evt_17", headers={"Idempotency-Key": "k"})).json()

    assert keys == ["k", "evt_17", "k", "k 2", "k"]
    assert (await client.post("/keys?own=evt_17")).json() == [None, "evt_17", None, None, None]


async def test_the_bus_of_the_process_is_that_of_the_service(client: AsyncClient) -> None:
    answer = await client.post("/seen-by-the-process")

    assert (answer.status_code, answer.json()["source"]) == (200, None)


async def test_without_a_correlation_id_the_request_id_is_one(client: AsyncClient) -> None:
    answer = await client.post("/seen", headers={"X-Request-ID": "r1", "X-Correlation-ID": "not sane"})

    assert [seen["correlation_id"] for seen in answer.json()] == ["r1", "r1"]
    assert [seen["user_id"] for seen in answer.json()] == [None, None]


async def test_a_token_that_is_no_good_is_not_taken_for_none(client: AsyncClient) -> None:
    headers = {"Authorization": "Bearer x"}

    assert (await client.post("/seen", headers=headers)).status_code == 401
    assert (await client.post("/seen-anonymously", headers=headers)).json()["user_id"] is None


async def test_the_current_user_is_who_the_token_says(client: AsyncClient, ada: Person, token: str) -> None:
    known = await client.get("/who", headers={"Authorization": f"Bearer {token}"})
    unknown = await client.get("/who")

    assert known.json() == str(ada.id)
    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_page_is_asked_for_within_its_bounds(client: AsyncClient) -> None:
    for query, answer in (
        ("", [1, 20]),
        ("?page=3&page_size=100", [3, 100]),
        ("?page=2147483647", [2147483647, 20]),
    ):
        assert (await client.get(f"/page{query}")).json() == answer
    for query in ("page=0", "page=2147483648", "page_size=0", "page_size=101", "page=x"):
        refused = await client.get(f"/page?{query}")
        assert (refused.status_code, list(refused.json()["errors"])) == (422, [query.partition("=")[0]])


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_trace_goes_on_if_it_is_one(client: AsyncClient) -> None:
    for sent, seen in (
        (TRACE, TRACE),
        (TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), None),
        (TRACE.replace("00f067aa0ba902b7", "0" * 16), None),
        (TRACE.replace("00-", "ff-", 1), None),
        (f"{TRACE}-more", None),
        ("nonsense", None),
    ):
        answer = await client.post("/seen", headers={"traceparent": sent})
        assert [each["traceparent"] for each in answer.json()] == [seen, seen], sent
