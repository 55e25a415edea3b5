import asyncio
from collections.abc import AsyncIterator
from time import process_time

import pytest

from app.adapters.password_argon2 import open_hasher
from app.core.cqrs import ServiceUnavailableError
from app.domain.ports import PasswordHasher
from tests.databases import settings_for


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    async with open_hasher(settings_for("sqlite:///x.db", password_hashes_at_once=2)) as hasher:
        yield hasher


async def test_only_the_right_password_matches(hasher: PasswordHasher) -> None:
    stored = await hasher.hash("pässword 😀")
    assert await hasher.verify("pässword 😀", stored)
    assert not await hasher.verify("password", stored)
    assert stored != await hasher.hash("pässword 😀"), "each hash has a salt of its own"


async def test_nobody_has_no_password(hasher: PasswordHasher) -> None:
    assert not await hasher.verify("", None)
    assert not await hasher.verify("anything", None)


async def test_for_nobody_it_takes_as_long() -> None:
    async with open_hasher(settings_for("sqlite:///x.db", password_time_cost=20, password_memory_kib=1024)) as slow:
        stored = await slow.hash("x")

        async def seconds(password_hash: str | None) -> float:
            started = process_time()  # of the processor: what else the machine does is not counted
            await slow.verify("y", password_hash)
            return process_time() - started

        known = min([await seconds(stored) for _ in range(5)])
        unknown = min([await seconds(None) for _ in range(5)])
    assert 0.5 < unknown / known < 2


async def test_the_settings_say_what_a_hash_costs() -> None:
    settings = settings_for("sqlite:///x.db", password_time_cost=2, password_memory_kib=16)
    async with open_hasher(settings) as hasher:
        assert "$m=16,t=2,p=1$" in await hasher.hash("x")


@pytest.mark.parametrize("changed", [{"password_time_cost": 2}, {"password_memory_kib": 16}])
async def test_a_hash_of_another_cost_still_matches_and_is_to_be_renewed(
    hasher: PasswordHasher, changed: dict[str, int]
) -> None:
    stored = await hasher.hash("x")
    async with open_hasher(settings_for("sqlite:///x.db", **changed)) as other:
        assert await other.verify("x", stored)
        assert other.needs_rehash(stored)
        assert not other.needs_rehash(await other.hash("x"))


async def test_the_event_loop_goes_on_while_hashes_are_made() -> None:
    async with open_hasher(settings_for("sqlite:///x.db", password_memory_kib=4096)) as hasher:
        hashes = asyncio.gather(*(hasher.hash("x") for _ in range(8)))
        turns = 0
        while not hashes.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 8
        assert len(set(await hashes)) == 8


async def test_only_so_many_are_waited_for(hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hasher, "_most", 3)
    outcomes = await asyncio.gather(*(hasher.hash("a password") for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [str] * 3 + [ServiceUnavailableError] * 2
    assert await hasher.verify("a password", str(outcomes[0]))
