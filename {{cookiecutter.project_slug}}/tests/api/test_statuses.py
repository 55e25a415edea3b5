"""Which statuses an operation documents, by what its endpoint and its handler declare."""

from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from app.api.document import describe, problems
from app.api.models import Body
from app.api.routing import add_routes
from app.api.statuses import ALWAYS
from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    ICommand,
    IQuery,
    authorize,
    command_handler,
    idempotent,
    query_handler,
    transactional,
    validate_input,
)
from app.dependencies import AnonymousBus, Bus, CurrentUser
from app.domain.ports import Throttle


@dataclass(frozen=True)
class Look(IQuery[int]):
    """A query that everybody may ask."""


@dataclass(frozen=True)
class LookClosely(IQuery[int]):
    """One that validates itself."""

    def validate(self) -> dict[str, str]:
        """Nothing is valid."""
        return {"all": "is wrong"}


@dataclass(frozen=True)
class Change(ICommand[int]):
    """A command."""


@dataclass(frozen=True)
class ChangeOnce(ICommand[int]):
    """A command with a key."""


@dataclass(frozen=True)
class Guess(ICommand[int]):
    """A command that may be tried a few times."""


@query_handler(Look, timeout_seconds=None)
class LookHandler(BaseQueryHandler[Look, int]):
    """Has no deadline."""

    async def _handle(self, query: Look) -> int:
        return 1


@query_handler(LookClosely)
class LookCloselyHandler(BaseQueryHandler[LookClosely, int]):
    """Has a deadline."""

    async def _handle(self, query: LookClosely) -> int:
        return 1


@command_handler(Change)
@transactional()
@authorize(permissions=["thing:change"])
class ChangeHandler(BaseCommandHandler[Change, int]):
    """Is for some."""

    async def _handle(self, command: Change) -> int:
        return 1


@command_handler(ChangeOnce)
@transactional()
@idempotent(required=True)
class ChangeOnceHandler(BaseCommandHandler[ChangeOnce, int]):
    """Needs a key."""

    async def _handle(self, command: ChangeOnce) -> int:
        return 1


@command_handler(Guess)
@validate_input(validator_func=lambda message: {})
class GuessHandler(BaseCommandHandler[Guess, int]):
    """Counts."""

    throttle: Throttle

    async def _handle(self, command: Guess) -> int:
        return 1


HANDLERS = [LookHandler, LookCloselyHandler, ChangeHandler, ChangeOnceHandler, GuessHandler]


class Wish(Body):
    """A body."""

    what: str


router = APIRouter()


@router.get("/alive")
async def alive() -> None: ...


@router.get("/look")
async def look(bus: AnonymousBus) -> None:
    await bus.execute_query(Look())


@router.get("/look-closely")
async def look_closely(bus: Bus) -> None:
    await closely(bus)


async def closely(bus: Bus) -> None:
    await bus.execute_query(LookClosely())


@router.put("/things/{thing}")
async def change(thing: int, bus: Bus) -> None:
    await bus.execute_command(Change())


@router.post("/things")
async def change_once(body: Wish, bus: Bus) -> None:
    await bus.execute_command(ChangeOnce())


@router.post("/guesses", responses=problems(404))
async def guess(bus: AnonymousBus) -> None:
    await bus.execute_command(Guess())


@router.get("/me")
async def read_me(user: CurrentUser, page: int = 1) -> None: ...


@router.post("/unknown")
async def send_anything(bus: Bus, message: Any = None) -> None:
    await bus.execute_command(message)


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    """Operation id -> operation."""
    app = FastAPI()
    add_routes(app, router)
    describe(app)
    with pytest.MonkeyPatch.context() as monkeypatch:  # tests of the bus forget what test modules declare
        monkeypatch.setattr("app.api.statuses.declared_handlers", HANDLERS)
        paths = app.openapi()["paths"]
    return {one["operationId"]: one for path in paths.values() for one in path.values()}


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        ("alive", []),
        ("look", [503]),
        ("look_closely", [401, 422, 503, 504]),
        ("change", [401, 403, 404, 409, 422, 503, 504]),
        ("change_once", [401, 408, 409, 415, 422, 503, 504]),
        ("guess", [404, 422, 429, 503, 504]),
        ("read_me", [401, 422]),
        ("send_anything", [401, 403, 404, 409, 422, 503, 504]),
    ],
)
def test_an_operation_documents_what_it_may_answer(
    operation: str, statuses: list[int], operations: dict[str, Any]
) -> None:
    documented = {int(status) for status in operations[operation]["responses"]} - {200, *ALWAYS}
    assert sorted(documented) == statuses


@pytest.mark.parametrize(
    ("operation", "required"), [("change_once", [True]), ("change", []), ("send_anything", [False])]
)
def test_keys_are_documented_where_they_are_taken(
    operation: str, required: list[bool], operations: dict[str, Any]
) -> None:
    headers = [one for one in operations[operation].get("parameters", ()) if one["in"] == "header"]
    assert [(one["name"], one["required"]) for one in headers] == [("Idempotency-Key", one) for one in required]


@pytest.mark.parametrize(
    ("operation", "schemes"), [("alive", 0), ("look", 0), ("look_closely", 2), ("change", 1), ("send_anything", 2)]
)
def test_it_says_whether_there_must_be_a_caller(operation: str, schemes: int, operations: dict[str, Any]) -> None:
    assert len(operations[operation].get("security", ())) == schemes


def test_statuses_that_a_route_names_are_described(operations: dict[str, Any]) -> None:
    assert operations["guess"]["responses"]["404"]["description"] == "Not found"
    assert operations["guess"]["responses"]["429"] == {"$ref": "#/components/responses/429"}
