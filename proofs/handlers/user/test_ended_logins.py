"""An access token is refused with the first request after its login was ended, whoever ended it and wherever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, time
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import time_machine
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import event

from app.adapters.cache_memory import MemoryCache
from app.core.config import Settings, checked_settings
from app.core.cqrs import AuthenticationError, Cache, Clock
from app.dependencies import CurrentUser
from app.domain.ports import AccessToken, AccessTokens
from app.handlers.user.change_password_handler import ChangePasswordCommand
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.handlers.user.logout_handler import LogoutCommand
from app.handlers.user.reactivate_user_handler import ReactivateUserCommand
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from app.main import create_app
from app.persistence.access import SECONDS_KEPT, DatabaseAccess, OpenLogins
from app.persistence.credentials import Credentials
from app.persistence.engine.database import Database
from app.persistence.tables import login_sessions
from app.read_models.token_views import TokensView
from tests.caches import PATIENCE_SECONDS, REDIS, prefix_in_redis, wait_for_redis
from tests.lifespan import started
from tests.rows import let_pass
from tests.server import environment_for, serving
from tests.users import PASSWORD, People, Person

ENDINGS = ["logout", "password", "reuse", "deactivation", "deactivation and reactivation", "deletion"]
NEW_PASSWORD = "another long password"


@asynccontextmanager
async def web_process(settings: Settings) -> AsyncIterator[FastAPI]:
    """The service as a process of its own has it, with an endpoint that no permission guards."""
    app = create_app(settings)

    @app.get("/who")
    async def who(user: CurrentUser) -> Any:
        return str(user.user_id)

    async with started(app):
        yield app


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[FastAPI]:
    async with web_process(settings.model_copy(update={"refresh_token_grace_seconds": 0})) as app:
        yield app


def bus_of(web: FastAPI) -> Any:
    return web.state.service.bus


async def statuses(web: FastAPI, tokens: TokensView, *paths: str) -> list[int]:
    """How requests with this access token are answered."""
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    async with AsyncClient(transport=ASGITransport(web), base_url="http://service", headers=headers) as client:
        return [(await client.get(path)).status_code for path in paths]


async def end(how: str, ada: Person, root: Person, tokens: TokensView) -> None:
    """End a login."""
    bus = ada.bus
    if how == "logout":
        (await bus.execute_command(LogoutCommand(tokens.refresh_token))).unwrap()
    elif how == "password":
        (await ada.command(ChangePasswordCommand(ada.id, PASSWORD, NEW_PASSWORD))).unwrap()
    elif how == "reuse":
        (await bus.execute_command(RefreshTokensCommand(tokens.refresh_token))).unwrap()
        assert (await bus.execute_command(RefreshTokensCommand(tokens.refresh_token))).is_failure
    elif how == "deletion":
        (await ada.command(DeleteUserCommand(ada.id))).unwrap()
    else:
        (await root.command(DeactivateUserCommand(ada.id))).unwrap()
        if how != "deactivation":
            (await root.command(ReactivateUserCommand(ada.id))).unwrap()


async def ended_at(one: FastAPI, other: FastAPI, how: str, people: People, root: Person) -> TokensView:
    """A login that was good at two services, and ended at one of them."""
    ada = await people.member()
    tokens = (await ada.login()).unwrap()
    assert [await statuses(web, tokens, "/who") for web in (one, other)] == [[200], [200]], how
    await end(how, ada, root, tokens)
    assert await statuses(one, tokens, "/who") == [401], how
    return tokens


PATHS = ("/who", "/api/users/me", "/api/users/me", "/who")
"""Without a permission; with one; the same from the cache."""


@pytest.mark.parametrize("how", ENDINGS)
async def test_the_first_request_after_a_login_has_ended_is_refused(web: FastAPI, how: str) -> None:
    people = People(bus_of(web))
    ada, root = await people.member(), await people.administrator()
    tokens = (await ada.login()).unwrap()
    assert await statuses(web, tokens, *PATHS) == [200] * len(PATHS)
    await end(how, ada, root, tokens)
    assert await statuses(web, tokens, *PATHS) == [401] * len(PATHS)


async def test_other_logins_go_on(web: FastAPI) -> None:
    ada, bob = [await People(bus_of(web)).member(email=f"{name}@example.org", username=name) for name in ("ada", "bob")]
    here, there, of_bob = [(await person.login()).unwrap() for person in (ada, ada, bob)]
    for tokens in (here, there, of_bob):
        assert await statuses(web, tokens, "/who") == [200]
    container = web.state.service.container
    session_id = (await container.get(AccessTokens)).read(here.access_token).session_id
    (await ada.command(ChangePasswordCommand(ada.id, PASSWORD, NEW_PASSWORD, session_id))).unwrap()
    assert [await statuses(web, tokens, "/who") for tokens in (here, there, of_bob)] == [[200], [401], [200]]
    (await ada.bus.execute_command(LogoutCommand(here.refresh_token))).unwrap()
    assert [await statuses(web, tokens, "/who") for tokens in (here, of_bob)] == [[401], [200]]
    anew = (await ada.login(NEW_PASSWORD)).unwrap()
    assert await statuses(web, anew, "/who") == [200]


async def test_a_refresh_leaves_the_access_token_before_good(web: FastAPI) -> None:
    ada = await People(bus_of(web)).member()
    first = (await ada.login()).unwrap()
    second = (await ada.bus.execute_command(RefreshTokensCommand(first.refresh_token))).unwrap()
    assert [await statuses(web, tokens, "/who") for tokens in (first, second)] == [[200], [200]]


async def test_a_login_that_ends_by_itself_ends_its_access_tokens(settings: Settings) -> None:
    """At its moment, although what is known of it is kept for longer."""
    short = settings.model_copy(update={"refresh_token_seconds": 20})
    async with web_process(short) as web:
        tokens = (await (await People(bus_of(web)).member()).login()).unwrap()
        assert await statuses(web, tokens, "/who") == [200]
        with time_machine.travel(time() + 21, tick=False):
            assert await statuses(web, tokens, "/who") == [401]


async def test_a_login_that_goes_on_in_its_last_moment_does_not_end_at_the_old_one(settings: Settings) -> None:
    """Although its old end is still known."""
    short = settings.model_copy(update={"refresh_token_seconds": 20})
    async with web_process(short) as web:
        tokens = (await (await People(bus_of(web)).member()).login()).unwrap()
        await let_pass(web.state.service, 10, login_sessions)
        assert await statuses(web, tokens, "/who") == [200]
        now = time()
        tokens = (await bus_of(web).execute_command(RefreshTokensCommand(tokens.refresh_token))).unwrap()
        with time_machine.travel(now + 12, tick=False):
            assert await statuses(web, tokens, "/who") == [200]
        with time_machine.travel(time() + 21, tick=False):
            assert await statuses(web, tokens, "/who") == [401]


async def test_a_login_is_looked_up_once_and_then_known(web: FastAPI) -> None:
    service = web.state.service
    tokens = (await (await People(service.bus).member()).login()).unwrap()
    await service.bus.settled()
    database: Database = await service.container.get(Database)
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    for engine in (database.reading_engine, database.writing_engine):
        event.listen(engine.sync_engine, "before_cursor_execute", note)
    assert await statuses(web, tokens, *["/who"] * 5) == [200] * 5
    assert sum("login_sessions" in statement for statement in statements) == 1


async def test_a_token_of_a_login_that_never_was_is_refused(web: FastAPI) -> None:
    """Whoever has the key but no login; and a login lent to another user."""
    container = web.state.service.container
    ada, bob = [await People(bus_of(web)).member(email=f"{name}@example.org", username=name) for name in ("ada", "bob")]
    tokens: AccessTokens = await container.get(AccessTokens)
    session_of_ada = tokens.read((await ada.login()).unwrap().access_token).session_id
    logins: OpenLogins = await container.get(OpenLogins)
    later = datetime.now(UTC) + timedelta(minutes=1)
    await logins.require(AccessToken(ada.id, session_of_ada, later))
    for user_id, session_id in ((ada.id, uuid4()), (UUID(int=7), UUID(int=8))):
        with pytest.raises(AuthenticationError, match="ended"):
            await logins.require(AccessToken(user_id, session_id, later))
    other = (await bob.login()).unwrap()
    with pytest.raises(AuthenticationError):
        await logins.require(AccessToken(ada.id, tokens.read(other.access_token).session_id, later))


async def test_where_queries_read_a_replica_a_login_is_known_and_ended_at_once(
    settings: Settings, empty_database_url: str
) -> None:
    """The replica here is so late that it has nothing."""
    late = checked_settings(**settings.model_dump() | {"read_database_url": empty_database_url})
    database = Database(late)
    async with web_process(settings) as web:
        container = web.state.service.container
        ada = await People(bus_of(web)).member()
        assert await Credentials(database).of_login(ada.email) is not None
        tokens = (await ada.login()).unwrap()
        caller = (await container.get(AccessTokens)).read(tokens.access_token)
        logins = OpenLogins(database, MemoryCache(10), await container.get(Clock))
        await logins.require(caller)
        access = DatabaseAccess(database, MemoryCache(10))
        assert await access.grants_of(str(caller.user_id)) is not None
    await database.close()


# --- two processes


async def test_without_redis_another_process_refuses_it_after_thirty_seconds(settings: Settings) -> None:
    without_grace = settings.model_copy(update={"refresh_token_grace_seconds": 0})
    async with web_process(without_grace) as one, web_process(without_grace) as other:
        people = People(bus_of(one))
        root = await people.administrator()
        cache = await other.state.service.container.get(Cache)
        assert isinstance(cache, MemoryCache)
        ended = [await ended_at(one, other, how, people, root) for how in ENDINGS]
        assert SECONDS_KEPT <= 30
        cache._now = lambda: monotonic() + SECONDS_KEPT
        assert [await statuses(other, tokens, "/who") for tokens in ended] == [[401]] * len(ENDINGS)


@pytest.fixture
async def pair(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """Two services on one database and one Redis."""
    wait_for_redis(monkeypatch)
    async with prefix_in_redis() as prefix, AsyncExitStack() as stack:
        shared = {"cache_url": REDIS, "cache_prefix": prefix, "refresh_token_grace_seconds": 0}
        one, other = [
            await stack.enter_async_context(web_process(settings.model_copy(update=shared))) for _ in range(2)
        ]
        yield one, other


@pytest.mark.integration
async def test_with_redis_another_process_hears_of_it(pair: tuple[FastAPI, FastAPI]) -> None:
    one, other = pair
    people = People(bus_of(one))
    root = await people.administrator()
    for how in ENDINGS:
        tokens = await ended_at(one, other, how, people, root)
        until = monotonic() + SECONDS_KEPT / 2
        while await statuses(other, tokens, "/who") != [401]:
            assert monotonic() < until, how
            await asyncio.sleep(0.001)


@pytest.fixture
def urls(database_url: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two processes of the service on one database and one Redis."""
    with ExitStack() as stack:
        environment = environment_for(database_url, CACHE_URL=REDIS, CACHE_PREFIX=f"test_{uuid4().hex}")
        servers = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            servers.append(stack.enter_context(serving(tmp_path / name, environment)))
        yield servers[0].address, servers[1].address


@pytest.mark.integration
def test_what_one_process_ends_another_refuses(urls: tuple[str, str]) -> None:
    user = {"email": "ada@example.org", "username": "ada", "password": PASSWORD, "full_name": "Ada Lovelace"}
    with ExitStack() as stack:
        one, other = [stack.enter_context(httpx2.Client(base_url=url, timeout=PATIENCE_SECONDS)) for url in urls]
        one.post("/api/users", json=user).raise_for_status()
        for ending in range(3):
            tokens = one.post("/api/auth/login", data={"username": "ada", "password": PASSWORD}).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            for client in (one, other, one, other):
                assert client.get("/api/users/me", headers=headers).status_code == 200, ending
            ended_at, asked_at = (one, other) if ending % 2 == 0 else (other, one)
            ended_at.post("/api/auth/logout", json={"refresh_token": tokens["refresh_token"]}).raise_for_status()
            assert ended_at.get("/api/users/me", headers=headers).status_code == 401
            until = monotonic() + SECONDS_KEPT / 2
            while asked_at.get("/api/users/me", headers=headers).status_code != 401:
                assert monotonic() < until, "it was not told"
