import asyncio
import os
import pickle
import sys
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, Field, Secret, SecretBytes, SecretStr, computed_field

from app.core.cqrs import (
    BaseQueryHandler,
    CQRSBus,
    IQuery,
    OperationStatus,
    Pagination,
    PolicyError,
    QueryResult,
    ResourceNotFoundError,
    authorize,
    cached_query,
    invalidates,
    query_handler,
    transactional,
)
from app.core.cqrs.testing import FixedClock, MemoryBus, MemoryCache
from tests.core.cqrs.support import Ask, Do, Happened, handler_of, may, raising, sent_by, together, within_patience


class Counting:
    """Work that answers how often it was asked."""

    def __init__(self, answer: Callable[[Any, int], Any] = lambda query, times: f"answer {times}") -> None:
        self.times = 0
        self.answer = answer

    def __call__(self, query: Any) -> Any:
        self.times += 1
        return self.answer(query, self.times)


def cached(work: Any, *more: Any, message: Any = Ask, hooks: Any = None, **parameters: Any) -> MemoryBus:
    handler = handler_of(message, work, cached_query(**parameters), *more, **(hooks or {}))
    return MemoryBus(handler, grants={"ada": may("a:b"), "bob": may("a:b")})


async def asked(bus: CQRSBus, query: Any = None) -> Any:
    return (await within_patience(bus.execute_query(query or Ask()))).unwrap()


async def test_the_second_answer_comes_from_the_cache() -> None:
    work = Counting()
    bus = cached(work, ttl_seconds=60)
    missed = await bus.execute_query(Ask())
    hit = await bus.execute_query(Ask())
    assert (missed.unwrap(), hit.unwrap(), work.times) == ("answer 1", "answer 1", 1)
    assert missed.cache_info is not None
    key = missed.cache_info["key"]
    assert missed.cache_info == {"hit": False, "key": key, "ttl_seconds": 60, "level": None}
    bus.clock.advance(20)
    hit = await bus.execute_query(Ask())
    assert hit.cache_info == {"hit": True, "key": key, "ttl_seconds": 40, "level": "memory"}


async def test_a_hit_opens_no_scope() -> None:
    bus = cached(Counting())
    await asked(bus)
    await asked(bus)
    assert bus.scope.opened == 1


@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [
        ({}, 300),
        ({"ttl_seconds": 10}, 10),
        ({"ttl_seconds": 0.5}, 0.5),
        ({"ttl_delta": timedelta(minutes=2)}, 120),
    ],
)
async def test_it_is_kept_for_so_long(parameters: dict[str, Any], seconds: float) -> None:
    work = Counting()
    bus = cached(work, **parameters)
    await asked(bus)
    bus.clock.advance(seconds - 0.1)
    await asked(bus)
    assert work.times == 1
    bus.clock.advance(0.1)
    await asked(bus)
    assert work.times == 2


@dataclass
class Short(IQuery[str]):
    ttl: int | None = 5
    key: str | None = None

    def get_cache_ttl(self) -> int | None:
        return self.ttl

    def get_cache_key(self) -> str | None:
        return self.key


@pytest.mark.parametrize(("ttl", "seconds"), [(5, 5), (500, 500), (None, 60)])
async def test_the_ttl_of_the_query_wins(ttl: int | None, seconds: float) -> None:
    work = Counting()
    bus = cached(work, message=Short, ttl_seconds=60)
    result = await bus.execute_query(Short(ttl))
    assert result.cache_info is not None
    assert result.cache_info["ttl_seconds"] == seconds
    bus.clock.advance(seconds - 1)
    await asked(bus, Short(ttl))
    bus.clock.advance(1)
    await asked(bus, Short(ttl))
    assert work.times == 2


async def test_a_query_may_ask_not_to_be_kept() -> None:
    work = Counting()
    bus = cached(work, message=Short)
    await asked(bus, Short(0))
    await asked(bus, Short(0))
    assert work.times == 2


async def test_the_key_of_the_query_replaces_its_fields() -> None:
    work = Counting()
    bus = cached(work, message=Short, vary_by=["ttl"])
    await asked(bus, Short(5, key="one"))
    await asked(bus, Short(6, key="one"))
    assert work.times == 1
    await asked(bus, Short(5, key="other"))
    assert work.times == 2


async def test_all_fields_tell_answers_apart_unless_some_are_named() -> None:
    work = Counting()
    bus = cached(work)
    for query in (Ask("a", 1), Ask("a", 2), Ask("b", 1), Ask("a", 1)):
        await asked(bus, query)
    assert work.times == 3
    work = Counting()
    bus = cached(work, vary_by=["about"])
    for query in (Ask("a", 1), Ask("a", 2), Ask("b", 1), Ask("a", 1)):
        await asked(bus, query)
    assert work.times == 2


async def test_a_property_may_tell_answers_apart() -> None:
    @dataclass
    class Text(IQuery[str]):
        text: str

        @property
        def folded(self) -> str:
            return self.text.casefold()

    work = Counting()
    bus = cached(work, message=Text, vary_by=["folded"])
    await asked(bus, Text("A"))
    await asked(bus, Text("a"))
    assert work.times == 1


async def test_no_field_tells_answers_apart() -> None:
    work = Counting()
    bus = cached(work, vary_by=[])
    await asked(bus, Ask("a"))
    await asked(bus, Ask("b"))
    assert work.times == 1


SERVICE = Path(__file__).parents[4]


class Colour(Enum):
    RED = "red"


@dataclass
class Inner:
    number: int
    words: frozenset[str] = frozenset()


class Model(BaseModel):
    words: set[str]


@dataclass
class Rich(IQuery[str]):
    value: Any = None


VALUES: list[Any] = [
    None,
    "",
    "a",
    "\ud800",
    "\0",
    0,
    1,
    2**70,
    1.0,
    True,
    [],
    ["a", "b"],
    ["b", "a"],
    float("nan"),
    float("inf"),
    Decimal("1.10"),
    UUID(int=1),
    date(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC),
    timedelta(seconds=1),
    Colour.RED,
    Inner(1),
    Inner(1, frozenset("ab")),
    {"k": 1},
    {"k": {2, 1}},
    b"raw",
    b"\xff\xfe",
    Model(words={"x"}),
    SecretStr("one"),
    SecretStr("two"),
    [SecretBytes(b"three"), Secret(4)],
    [SecretBytes(b"three"), Secret(5)],
]


def test_no_two_different_values_share_a_key() -> None:
    assert len({cached_query().key_of(Rich(value)) for value in VALUES * 2}) == len(VALUES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({3, 1, 2}, {2, 3, 1}),
        (Model(words={"x", "y", "z"}), Model(words={"z", "y", "x"})),
    ],
)
def test_equal_values_share_a_key(one: Any, other: Any) -> None:
    assert cached_query().key_of(Rich(one)) == cached_query().key_of(Rich(other))


@dataclass
class Percent:
    value: int


@dataclass
class Absolute:
    value: int


@dataclass
class Discounted(IQuery[str]):
    off: Percent | Absolute | None = None
    price: int = 0

    @property
    def folded(self) -> Percent | Absolute | None:
        return self.off


@dataclass
class Named(Discounted):
    def get_cache_key(self) -> str:
        return repr(self.off)


def test_a_key_that_may_be_the_same_for_different_queries_is_refused() -> None:
    for vary_by in (None, ["off"], ["folded"]):
        with pytest.raises(PolicyError, match=r"Discounted\.\w+ may be Percent or Absolute, which JSON does not tell"):
            cached(Counting(), message=Discounted, vary_by=vary_by)
    cached(Counting(), message=Discounted, vary_by=["price"])
    cached(Counting(), message=Named)


async def test_the_key_is_the_same_in_every_process() -> None:
    program = (
        "from dataclasses import make_dataclass; from app.core.canonical_json import canonical_json;"
        "print(canonical_json(make_dataclass('M', ['value'])({'z', 'a', 3, ('t', frozenset('uv'))})).decode())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(SERVICE)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await within_patience(process.communicate())
    assert printed == b'{"value":["a","z",3,["t",["u","v"]]]}\n'


async def test_a_prefix_stands_before_the_key() -> None:
    result = await cached(Counting(), cache_key_prefix="v2:").execute_query(Ask())
    assert result.cache_info is not None
    assert str(result.cache_info["key"]).startswith("v2:Ask:")


async def test_every_caller_has_answers_of_his_own_and_nobody_is_one_of_them() -> None:
    work = Counting(lambda query, times: f"for {query.metadata.user_id}")
    bus = cached(work)
    for user in ("ada", "bob", None, "ada", "bob", None):
        assert await asked(bus, sent_by(user, Ask())) == f"for {user}"
    assert work.times == 3


async def test_a_caller_cannot_name_himself_into_the_answers_of_another() -> None:
    work = Counting(lambda query, times: f"for {query.metadata.user_id}")
    bus = cached(work, message=Short)
    for user, key in (("a", "b|c"), ("a|b", "c"), ("*", "c"), ("", "c")):
        assert await asked(bus, sent_by(user, Short(key=key))) == f"for {user}"


async def test_public_answers_are_shared() -> None:
    work = Counting()
    bus = cached(work, scope="public")
    for user in ("ada", "bob", None):
        assert await asked(bus, sent_by(user, Ask())) == "answer 1"
    assert work.times == 1


async def test_permission_is_checked_before_a_public_answer_is_seen() -> None:
    bus = cached(Counting(), authorize(["a:b"]), scope="public")
    assert (await bus.execute_query(sent_by("ada", Ask()))).is_success
    assert (await bus.execute_query(sent_by("eve", Ask()))).status is OperationStatus.UNAUTHENTICATED
    bus.access.grants["eve"] = may()
    assert (await bus.execute_query(sent_by("eve", Ask()))).status is OperationStatus.FORBIDDEN


async def test_validation_comes_before_the_cache() -> None:
    assert (await cached(Counting()).execute_query(Ask(""))).status is OperationStatus.VALIDATION_ERROR


@pytest.mark.parametrize(("keep", "times"), [(False, 2), (True, 1)])
async def test_an_answer_of_none_is_kept_on_request(keep: bool, times: int) -> None:
    work = Counting(lambda query, times: None)
    bus = cached(work, cache_null_results=keep)
    assert [await asked(bus), await asked(bus)] == [None, None]
    assert work.times == times


@dataclass
class Anything(IQuery[int | str | list[int] | dict[str, int]]):
    pass


@pytest.mark.parametrize("value", [0, "", [], {}, "x"])
async def test_empty_is_a_value(value: Any) -> None:
    work = Counting(lambda query, times: value)
    bus = cached(work, message=Anything)
    assert [await asked(bus, Anything()), await asked(bus, Anything())] == [value, value]
    assert work.times == 1


class View(BaseModel):
    id: UUID
    price: Decimal
    at: datetime
    tags: frozenset[str] = frozenset()


@dataclass
class Views(IQuery[list[View]]):
    pass


async def test_answers_come_back_as_the_declared_type() -> None:
    view = View(id=UUID(int=1), price=Decimal("1.10"), at=datetime(2026, 1, 1, tzinfo=UTC), tags=frozenset("a"))
    bus = cached(lambda _: [view], message=Views)
    assert [await asked(bus, Views()), await asked(bus, Views())] == [[view], [view]]


looked_at: list[int] = []


def noted(value: int) -> int:
    looked_at.append(value)
    return value


class Watched(BaseModel):
    number: Annotated[int, AfterValidator(noted)]


@dataclass
class Watching(IQuery[Watched]):
    pass


async def test_a_kept_answer_is_json_until_somebody_looks_at_it() -> None:
    bus = cached(lambda _: Watched(number=7), message=Watching)
    first = await bus.execute_query(Watching())
    looked_at.clear()
    result = await bus.execute_query(Watching())
    assert first.kept_json == result.kept_json == b'{"number":7}'
    assert result.is_success
    assert looked_at == []
    assert result.data == Watched.model_construct(number=7)
    assert result.unwrap() is result.data, "it is made once"
    assert looked_at == [7]
    assert result.kept_json is None, "whoever looks at it may change it"


async def test_a_kept_answer_is_like_any_other() -> None:
    bus = cached(Counting(), scope="public")
    await asked(bus)
    one, other = [await bus.execute_query(Ask()) for _ in range(2)]
    assert repr(one) == "QueryResult(SUCCESS, data='answer 1')"
    assert one.unwrap() == "answer 1"
    assert one == other
    hit = await bus.execute_query(Ask())
    assert pickle.loads(pickle.dumps(hit)).unwrap() == copy(hit).unwrap() == "answer 1"


class Dressed(BaseModel):
    kind: Literal["dressed"] = "dressed"
    number: int = Field(serialization_alias="no")


class Reckoned(BaseModel):
    kind: Literal["reckoned"] = "reckoned"
    number: int

    @computed_field  # type: ignore[prop-decorator]  # mypy has no words for it
    @property
    def twice(self) -> int:
        return 2 * self.number


@dataclass
class Unlike(IQuery[Dressed | Reckoned]):
    pass


@pytest.mark.parametrize("answer", [Dressed(number=1), Reckoned(number=1)])
async def test_an_answer_that_is_told_otherwise_than_it_is_kept_has_to_be_made(answer: BaseModel) -> None:
    bus = cached(lambda _: answer, message=Unlike)
    for _ in range(2):
        result = await bus.execute_query(Unlike())
        assert result.kept_json is None


async def test_an_answer_of_another_type_is_a_bug_and_never_stored() -> None:
    bus = cached(lambda _: ["not a view"], message=Views)
    for _ in range(2):
        assert (await bus.execute_query(Views())).status is OperationStatus.FAILED


async def test_status_and_pagination_are_kept() -> None:
    page = Pagination(page=1, page_size=2, total_count=3, total_pages=2, has_next=True, has_previous=False)

    @query_handler(Ask)
    @cached_query()
    class Pages(BaseQueryHandler[Ask, str | None]):
        """Answers a page."""

        async def _handle(self, query: Ask) -> Any:
            return self.accepted("a page")

        async def _get_pagination_info(self, query: Ask, result: str | None) -> Pagination:
            return page

    bus = MemoryBus(Pages)
    for hit in (False, True):
        result = await bus.execute_query(Ask())
        assert (result.pagination, result.status) == (page, OperationStatus.ACCEPTED)
        assert result.cache_info is not None
        assert result.cache_info["hit"] is hit


@pytest.mark.parametrize("has_own_cache", [False, True])
async def test_an_answer_without_the_part_of_a_failed_hook_is_not_kept(has_own_cache: bool) -> None:
    page = Pagination(page=1, page_size=2, total_count=3, total_pages=2, has_next=True, has_previous=False)
    failures = [TimeoutError("The count took too long.")]
    stored: list[Any] = []

    async def paginated(handler: Any, query: Ask, result: str) -> Pagination:
        if failures:
            raise failures.pop()
        return page

    async def store(handler: Any, query: Ask, result: QueryResult[str]) -> None:
        stored.append(result)

    async def look_up(handler: Any, query: Ask) -> QueryResult[str] | None:
        return stored[0] if stored else None

    own = {"_cache_result": store, "_get_cached_result": look_up} if has_own_cache else {}
    work = Counting()
    bus = cached(work, hooks={"_get_pagination_info": paginated, **own})
    answers = [await bus.execute_query(Ask()) for _ in range(3)]
    assert [answer.data for answer in answers] == ["answer 1", "answer 2", "answer 2"]
    assert [answer.pagination for answer in answers] == [None, page, page]


async def test_nor_is_one_that_consists_of_such_an_answer() -> None:
    failures = [TimeoutError("The count took too long.")]

    async def paginated(handler: Any, query: Ask, result: str) -> Pagination:
        if failures:
            raise failures.pop()
        return Pagination(page=1, page_size=2, total_count=3, total_pages=2, has_next=True, has_previous=False)

    bus = cached(Counting(), hooks={"_get_pagination_info": paginated})
    bus.register(handler_of(Rich, lambda _: bus.execute_query(Ask()), cached_query()))
    answers = [await bus.execute_query(Rich(1)) for _ in range(3)]
    assert [answer.pagination is None for answer in answers] == [True, False, False]
    assert [answer.cache_info and answer.cache_info["hit"] for answer in answers] == [False, False, True]


async def test_failures_are_not_kept() -> None:
    for work in (raising(ResourceNotFoundError("No.")), lambda _: QueryResult[str].not_found("No.")):
        counting = Counting(lambda query, times, work=work: work(query))  # type: ignore[misc]
        bus = cached(counting)
        for _ in range(2):
            result = await bus.execute_query(Ask())
            assert (result.status, result.error_message) == (OperationStatus.NOT_FOUND, "No.")
        assert counting.times == 2


async def test_tags_let_a_command_drop_answers() -> None:
    work = Counting()
    bus = cached(work, tags=["about:{about}", "all"])
    bus.register(handler_of(Do, lambda _: "done", invalidates("about:{what}")))
    await asked(bus, Ask("a"))
    await asked(bus, Ask("b"))
    await bus.execute_command(Do("a"))
    await asked(bus, Ask("a"))
    await asked(bus, Ask("b"))
    assert work.times == 3
    await bus.cache.invalidate(["all"])
    await asked(bus, Ask("a"))
    await asked(bus, Ask("b"))
    assert work.times == 5


@pytest.mark.parametrize("changed", [{"tags": ["of:{about}"]}, {"ttl_seconds": 5}])
async def test_what_a_release_with_other_tags_or_another_ttl_has_cached_is_not_used(changed: dict[str, Any]) -> None:
    former, now = {"tags": ["about:{about}"], "ttl_seconds": 600}, Counting()
    bus, other = cached(Counting(), **former), cached(now, **(former | changed))
    other.cache._entries = bus.cache._entries  # its tags would drop nothing of the other, or too late
    await asked(bus)
    await asked(other)
    assert now.times == 1


async def test_one_tag_needs_no_list() -> None:
    work = Counting()
    bus = cached(work, tags="users")
    await asked(bus)
    await bus.cache.invalidate(["users"])
    await asked(bus)
    assert work.times == 2


class Gate:
    """Work that lasts until the test lets it go on."""

    def __init__(self, answer: Callable[[], str] = lambda: "answer") -> None:
        self.times = 0
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self.answer = answer

    async def __call__(self, query: Any) -> str:
        self.times += 1
        answer = self.answer()
        self.started.set()
        await self.may_end.wait()
        return answer


async def test_of_many_misses_at_once_one_loads() -> None:
    gate = Gate()
    bus = cached(gate)
    asking = [asyncio.create_task(asked(bus)) for _ in range(50)]
    await within_patience(gate.started.wait())
    gate.may_end.set()
    assert await together(*asking) == ["answer"] * 50  # type: ignore[arg-type]
    assert gate.times == 1


class Shared(MemoryCache):
    """A cache that another process uses too, which has just loaded what this one is about to."""

    def __init__(self, clock: FixedClock, loaded: bytes | None) -> None:
        super().__init__(clock)
        self._loaded = loaded
        self.at_work = 0
        self.turns = 0

    @asynccontextmanager
    async def loading(self, key: str, generation: Any) -> AsyncIterator[bool]:
        """Wait for the other process."""
        if self._loaded is not None:
            await self.set(key, self._loaded, 60, (), {})
        self.turns += 1
        self.at_work += 1
        yield True
        self.at_work -= 1


async def kept_answer(work: Counting) -> bytes:
    first = cached(work)
    info = (await first.execute_query(Ask())).cache_info
    assert info is not None
    entry = await first.cache.get(info["key"] or "")
    assert entry is not None
    return entry.value


def sharing(cache: Shared, work: Any, **parameters: Any) -> CQRSBus:
    bus = CQRSBus(cache=cache)
    bus.register(handler_of(Ask, work, cached_query(**parameters)))
    return bus


@pytest.mark.parametrize("did", [True, False])
async def test_what_another_process_loaded_meanwhile_is_not_loaded_again(did: bool) -> None:
    work = Counting()
    kept = await kept_answer(work)
    bus = sharing(Shared(FixedClock(), kept if did else None), work)
    assert await asked(bus) == ("answer 1" if did else "answer 2")


async def test_what_another_release_loaded_meanwhile_is_loaded_again(logs: list[MutableMapping[str, Any]]) -> None:
    work = Counting()
    cache = Shared(FixedClock(), (await kept_answer(work)).replace(b"answer", b"a Kept"))
    assert await asked(sharing(cache, work)) == "answer 2"
    assert [line["event"] for line in logs] == ["cache_entry_unreadable"]


async def test_where_another_process_kept_nothing_nobody_waits_for_the_next() -> None:
    cache = Shared(FixedClock(), None)
    assert await asked(sharing(cache, lambda _: str(cache.at_work))) == "0", "It has given its turn back."


@pytest.mark.parametrize(("ttl", "turns"), [(0, 0), (None, 1)])
async def test_what_is_not_kept_waits_for_no_turn(ttl: int | None, turns: int) -> None:
    @dataclass
    class Brief(IQuery[str]):
        def get_cache_ttl(self) -> int | None:
            return ttl

    cache = Shared(FixedClock(), None)
    bus = CQRSBus(cache=cache)
    bus.register(handler_of(Brief, lambda _: "answer", cached_query()))
    assert await asked(bus, Brief()) == "answer"
    assert cache.turns == turns


async def test_one_caller_s_load_is_not_shared_with_another() -> None:
    gate = Gate()
    bus = cached(gate)
    gate.may_end.set()
    await together(*(asked(bus, sent_by(user, Ask())) for user in ("ada", "bob")))
    assert gate.times == 2


async def test_followers_do_not_fall_with_a_leader_who_is_cancelled() -> None:
    gate = Gate()
    bus = cached(gate)
    leader = asyncio.create_task(asked(bus))
    await within_patience(gate.started.wait())
    followers = [asyncio.create_task(asked(bus)) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    gate.may_end.set()
    assert await together(*followers) == ["answer"] * 3  # type: ignore[arg-type]
    assert gate.times == 2


async def changed_while_it_was_read() -> tuple[MemoryBus, Gate, asyncio.Task[Any]]:
    """A bus on which the answer became another one while a slow reader, who has the old one, is still at it."""
    stored = ["old"]
    gate = Gate(lambda: stored[-1])
    bus = cached(gate, tags=["users"])
    slow = asyncio.create_task(asked(bus))
    await within_patience(gate.started.wait())
    stored.append("new")
    await bus.cache.invalidate(["users"])
    return bus, gate, slow


async def test_a_slow_reader_does_not_store_what_became_stale_meanwhile() -> None:
    bus, gate, slow = await changed_while_it_was_read()
    gate.may_end.set()
    assert await within_patience(slow) == "old"
    assert await asked(bus) == "new"


async def test_who_asks_after_a_change_does_not_get_what_was_loaded_before_it() -> None:
    bus, gate, slow = await changed_while_it_was_read()
    later = asyncio.create_task(asked(bus))
    await asyncio.sleep(0)
    gate.may_end.set()
    assert await within_patience(later) == "new"
    assert await within_patience(slow) == "old"


async def test_an_unreadable_entry_is_a_miss_and_is_replaced(logs: list[MutableMapping[str, Any]]) -> None:
    for junk in (b"", b"junk", b"\xff\n1", b'["success",null,null]\n{"an":"object"}', b"[1]\n1", b"null\n1", b"7\n1"):
        work = Counting()
        bus = cached(work)
        result = await bus.execute_query(Ask())
        assert result.cache_info is not None
        key = result.cache_info["key"]
        assert key is not None
        await bus.cache.set(key, junk, 60, (), {})
        logs.clear()
        assert await asked(bus) == "answer 2"
        assert [entry["event"] for entry in logs] == ["cache_entry_unreadable"]
        assert await asked(bus) == "answer 2"


async def test_inside_a_transaction_the_answer_is_that_transactions_own() -> None:
    work = Counting()
    bus = cached(work)
    seen: list[Any] = []

    async def change(_: Do) -> None:
        result = await bus.execute_query(Ask())
        seen.append((result.unwrap(), result.cache_info))

    bus.register(handler_of(Do, change, transactional()))
    await asked(bus)
    await bus.execute_command(Do())
    assert seen == [("answer 2", {"hit": False, "key": None, "ttl_seconds": None, "level": None})]
    assert await asked(bus) == "answer 1", "and is not stored"


async def test_inside_an_operation_without_transaction_the_cache_is_used() -> None:
    work = Counting()
    bus = cached(work)

    async def look(_: Do) -> None:
        await bus.execute_query(Ask())

    bus.register(handler_of(Do, look))
    await bus.execute_command(Do())
    await asked(bus)
    assert work.times == 1


async def test_without_a_cache_every_look_up_is_a_miss() -> None:
    work = Counting()
    bus = CQRSBus()
    bus.register(handler_of(Ask, work, cached_query()))
    for _ in range(2):
        result = await bus.execute_query(Ask())
        assert result.cache_info == {"hit": False, "key": None, "ttl_seconds": None, "level": None}
    assert work.times == 2


async def test_caching_can_be_switched_off() -> None:
    work = Counting()
    bus = cached(work, hooks={"cache_enabled": False})
    for _ in range(2):
        result = await bus.execute_query(Ask())
        assert result.cache_info is not None
        assert result.cache_info["hit"] is False
    assert work.times == 2


@pytest.mark.parametrize("decorated", [False, True])
@pytest.mark.parametrize("as_result", [False, True])
async def test_hooks_replace_look_up_and_store(decorated: bool, as_result: bool) -> None:
    kept: dict[str, Any] = {}

    class Own(BaseQueryHandler[Ask, str | None]):
        async def _handle(self, query: Ask) -> str:
            return f"fresh {query.about}"

        async def _get_cached_result(self, query: Ask) -> Any:
            return kept.get(query.about)

        async def _cache_result(self, query: Ask, result: Any) -> None:
            kept[query.about] = result if as_result else f"kept {result.data}"

    bus = MemoryBus()
    bus.register_query_handler(Ask, cached_query()(Own) if decorated else Own)
    first, second = await bus.execute_query(Ask("x")), await bus.execute_query(Ask("x"))
    assert first.unwrap() == "fresh x"
    assert second.unwrap() == ("fresh x" if as_result else "kept fresh x")
    assert list(kept) == ["x"]
    if decorated:
        assert first.cache_info is not None
        assert second.cache_info is not None
        assert (first.cache_info["hit"], second.cache_info["hit"]) == (False, True)


async def test_hooks_are_switched_off_with_the_cache() -> None:
    asked_hooks: list[str] = []

    async def look_up(self: Any, query: Any) -> None:
        asked_hooks.append("look up")

    for decorators in ((), (cached_query(),)):
        bus = MemoryBus(handler_of(Ask, lambda _: "x", *decorators, cache_enabled=False, _get_cached_result=look_up))
        result = await bus.execute_query(Ask())
        assert (asked_hooks, result.unwrap()) == ([], "x")
    assert result.cache_info == {"hit": False, "key": None, "ttl_seconds": None, "level": None}


async def test_a_hook_alone_is_enough_and_failures_are_not_stored() -> None:
    kept: list[Any] = []

    async def keep(self: Any, query: Any, result: Any) -> None:
        kept.append(result.data)

    bus = MemoryBus(
        handler_of(Ask, lambda q: "x" if q.page == 1 else QueryResult[str].not_found("No."), _cache_result=keep)
    )
    await bus.execute_query(Ask())
    await bus.execute_query(Ask(page=2))
    assert kept == ["x"]


async def test_a_follower_has_a_deadline_of_his_own() -> None:
    gate = Gate()
    bus = MemoryBus(handler_of(Ask, gate, cached_query(), timeout_seconds=0.02))
    results = await together(bus.execute_query(Ask()), bus.execute_query(Ask()))
    assert [result.status for result in results] == [OperationStatus.TIMEOUT] * 2


@dataclass
class Untyped(IQuery):
    pass


@pytest.mark.parametrize(
    ("parameters", "message", "sentence"),
    [
        ({"ttl_seconds": 0}, Ask, "AskHandler: ttl_seconds=0 would keep nothing"),
        ({"ttl_seconds": -1}, Ask, "would keep nothing"),
        ({"ttl_delta": timedelta(0)}, Ask, "would keep nothing"),
        ({"vary_by": ["about", "colour"]}, Ask, "vary_by names colour, which Ask does not have"),
        ({"scope": "mine"}, Ask, "scope='mine' is unknown"),
        ({"tags": ["user:{user_id}"]}, Ask, "a tag names user_id"),
        ({}, Do, "@cached_query is for queries"),
        ({}, Happened, "@cached_query is for queries"),
        ({}, Untyped, "the query or the base of its handler must say what it is"),
    ],
)
def test_what_cannot_work_is_refused(parameters: dict[str, Any], message: type, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        cached(Counting(), message=message, **parameters)


def test_one_lifetime_is_enough() -> None:
    with pytest.raises(ValueError, match="not both"):
        cached_query(ttl_seconds=1, ttl_delta=timedelta(seconds=1))
