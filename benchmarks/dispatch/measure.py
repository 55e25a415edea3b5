"""How cases are timed: each right after its floor, in short slices, all of them once a round."""

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from itertools import cycle, islice
from time import perf_counter_ns
from typing import Any

from benchmarks.dispatch.case import Case, WrongCountError, own_code
from benchmarks.dispatch.figures import Figures
from benchmarks.dispatch.witness import check_steps

SLICE_NS = 1_500_000
AT_MOST, AT_LEAST, WARM_UP = 4_000, 12, 300
IN_TURN = 3
ROTATE_BY = 7


async def _await_each(send: Any, batch: Sequence[object], _: Callable[[], object]) -> None:
    for message in batch:
        await send(message)


async def _call_each(send: Any, batch: Sequence[object], _: Callable[[], object]) -> None:
    for message in batch:
        send(message)


async def _make_and_await_each(send: Any, batch: Sequence[object], make: Callable[[], object]) -> None:
    for _message in batch:
        await send(make())


class Stopwatch:
    """One case with a loop of its own and a batch that takes about one slice of time."""

    def __init__(self, case: Case) -> None:
        self.case = case
        loop = _call_each if case.is_sync else _make_and_await_each if case.is_fresh else _await_each
        self._loop = own_code(loop)
        self._batch: list[object] = []
        self._lead_in: list[object] = []

    async def warm_up(self) -> None:
        """Let the interpreter settle on this code, then choose how many messages fill a slice."""
        self._fill(AT_LEAST)
        first = await self.time()
        self._fill(min(WARM_UP, int(SLICE_NS * 4 / first)))
        settled = min([await self.time() for _ in range(3)])
        self._fill(min(AT_MOST, int(SLICE_NS / settled)))

    def _fill(self, count: int) -> None:
        messages = self.case.messages or (self.case.make(),)
        self._batch = list(islice(cycle(messages), max(AT_LEAST, count)))
        # Not timed: it takes the processor back from whatever ran before.
        self._lead_in = self._batch[: max(1, len(self._batch) // 8)]

    async def time(self) -> float:
        """Nanoseconds for each message of one batch.

        Raises:
            WrongCountError: the handler's counter does not say what was sent.
        """
        case, before = self.case, self.case.counter.hits
        # A context of its own, as a server's task has: what another case left in this one would slow all others.
        elapsed = await asyncio.create_task(self._time(), context=Context())
        handled, sent = case.counter.hits - before, len(self._lead_in) + len(self._batch)
        if handled != sent * case.calls:
            raise WrongCountError(f"{case.who}, {case.line}: {handled} handler calls for {sent} messages.")
        return elapsed / len(self._batch)

    async def _time(self) -> int:
        await self._send(self._lead_in)
        start = perf_counter_ns()
        await self._send(self._batch)
        return perf_counter_ns() - start

    async def _send(self, batch: Sequence[object]) -> None:
        await self._loop(self.case.send, batch, self.case.make)
        if self.case.drain is not None:
            await self.case.drain()


class Stopwatches:
    """Several for one case, used in turn: where code happens to lie in memory is worth a tenth, so no case keeps it."""

    def __init__(self, case: Case) -> None:
        self._all = [Stopwatch(case) for _ in range(IN_TURN)]
        self._in_turn = cycle(self._all)

    async def warm_up(self) -> None:
        """Warm up all of them."""
        for watch in self._all:
            await watch.warm_up()

    async def time(self) -> float:
        """Nanoseconds for each message, by the next one."""
        return await next(self._in_turn).time()


class Session:
    """Cases under measurement in this process."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self._cases = deque(cases)
        self._watches = {each: Stopwatches(each) for case in self._cases for each in (case.floor, case) if each}
        self._figures = {case: Figures.of(case) for case in self._watches}

    async def prepare(self) -> None:
        """Check and warm up every case."""
        for case, watch in self._watches.items():
            await check_steps(case)
            await watch.warm_up()
        # Peers import a lot; the collector need not walk over it again in every slice.
        gc.collect()
        gc.freeze()

    async def run_round(self) -> None:
        """Time every case once, its floor just before it, so that a busy moment hits both alike."""
        for case in self._cases:
            floor = await self._time_floor(case)
            self._figures[case].add(await self._watches[case].time(), floor)
        # So that no case is always the first after the pause in which the other process had its round.
        self._cases.rotate(ROTATE_BY)

    async def _time_floor(self, case: Case) -> float:
        if case.floor is None:
            raise ValueError(f"{case.who}, {case.line}: no floor to compare with.")
        floor = await self._watches[case.floor].time()
        self._figures[case.floor].add(floor, floor)
        return floor

    async def finish(self) -> list[Figures]:
        """What the rounds said."""
        gc.unfreeze()
        return list(self._figures.values())
