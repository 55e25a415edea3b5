import asyncio
from traceback import extract_tb

import pytest

from app.core.cqrs import ResourceNotFoundError
from app.core.single_flight import SingleFlight
from tests.core.cqrs.support import forever, together, within_patience


class Load:
    """A load that lasts until the test lets it go on."""

    def __init__(self) -> None:
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self.times = 0

    async def __call__(self) -> str:
        self.times += 1
        self.started.set()
        await asyncio.sleep(0)
        await self.may_end.wait()
        return f"load {self.times}"


async def test_of_many_at_once_one_loads() -> None:
    flights: SingleFlight[str] = SingleFlight()
    load = Load()
    load.may_end.set()
    assert await together(*(flights.fly("key", load) for _ in range(200))) == ["load 1"] * 200
    assert await flights.fly("key", load) == "load 2", "nothing is kept"


async def test_each_key_flies_alone() -> None:
    flights: SingleFlight[str] = SingleFlight()
    load = Load()
    load.may_end.set()
    await together(flights.fly("one", load), flights.fly("other", load))
    assert load.times == 2


async def test_a_failure_is_everybodys() -> None:
    flights: SingleFlight[str] = SingleFlight()

    async def fail() -> str:
        await asyncio.sleep(0)
        raise KeyError("broken")

    outcomes = await within_patience(
        asyncio.gather(*(flights.fly("key", fail) for _ in range(3)), return_exceptions=True)
    )
    assert [type(outcome) for outcome in outcomes] == [KeyError] * 3
    load = Load()
    load.may_end.set()
    assert await flights.fly("key", load) == "load 1"


class Composed(Exception):
    """Composes its message, so that calling its class with `args` makes another one."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no {name}.")


class Uncopied(Exception):
    """Cannot be made of its `args`."""

    def __init__(self, *, name: str) -> None:
        super().__init__(name)


@pytest.mark.parametrize("error", [KeyError("broken"), Composed("Ada"), Uncopied(name="Ada")])
async def test_each_caller_gets_a_failure_whose_traceback_no_other_makes_longer(error: Exception) -> None:
    flights: SingleFlight[str] = SingleFlight()
    seen = []
    error.add_note("the first note")

    async def fail() -> str:
        await asyncio.sleep(0)
        raise error from ValueError("its cause")

    async def fly() -> None:
        try:
            await flights.fly("key", fail)
        except Exception as raised:
            seen.append((str(raised), str(raised.__cause__), raised.__notes__, len(extract_tb(raised.__traceback__))))

    await together(*(fly() for _ in range(20)))
    (leader, lengths) = seen[0], {length for *_, length in seen[1:]}
    assert [one[:3] for one in seen] == [leader[:3]] * 20
    assert len(lengths) == 1
    assert max(lengths) <= leader[-1] + 1


async def test_what_one_caller_writes_into_a_failure_no_other_reads() -> None:
    flights: SingleFlight[str] = SingleFlight()

    async def fail() -> str:
        await asyncio.sleep(0)
        raise ResourceNotFoundError("There is no such order.")

    async def fly(operation_id: str) -> ResourceNotFoundError:
        with pytest.raises(ResourceNotFoundError) as raised:
            await flights.fly("key", fail)
        assert raised.value.operation_id is None
        raised.value.operation_id = operation_id
        raised.value.add_note(operation_id)
        return raised.value

    told = await together(fly("one"), fly("two"), fly("three"))
    assert [error.operation_id for error in told] == ["one", "two", "three"]
    assert [error.__notes__ for error in told] == [["one"], ["two"], ["three"]]


async def test_when_the_leader_is_cancelled_somebody_who_waits_takes_over() -> None:
    flights: SingleFlight[str] = SingleFlight()
    load = Load()
    leader = asyncio.create_task(flights.fly("key", load))
    await within_patience(load.started.wait())
    followers = [asyncio.create_task(flights.fly("key", load)) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    load.may_end.set()
    assert await within_patience(asyncio.gather(*followers)) == ["load 2"] * 3


async def test_a_follower_who_is_cancelled_harms_nobody() -> None:
    flights: SingleFlight[str] = SingleFlight()
    load = Load()
    leader = asyncio.create_task(flights.fly("key", load))
    await within_patience(load.started.wait())
    follower = asyncio.create_task(flights.fly("key", forever))  # type: ignore[arg-type]  # never called
    await asyncio.sleep(0)
    follower.cancel()
    load.may_end.set()
    assert await within_patience(leader) == "load 1"
    with pytest.raises(asyncio.CancelledError):
        await follower


async def test_who_wants_a_later_one_shares_the_next() -> None:
    flights: SingleFlight[str] = SingleFlight()
    load = Load()
    first = asyncio.create_task(flights.fly_next("key", load))
    await within_patience(load.started.wait())
    others = [asyncio.create_task(flights.fly_next("key", load)) for _ in range(5)]
    await asyncio.sleep(0)
    load.may_end.set()
    assert await together(first, *others) == ["load 1", *["load 2"] * 5]  # type: ignore[arg-type]
    assert await flights.fly_next("key", load) == "load 3"
