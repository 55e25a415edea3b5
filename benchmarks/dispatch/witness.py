"""Proof that the middlewares of a case are really in the way of its messages."""

import inspect
import sys
from pathlib import Path
from types import FrameType

from benchmarks.dispatch.case import Case, WrongCountError

HERE = str(Path(__file__).parent)


async def check_steps(case: Case) -> None:
    """Send one message under the eyes of the interpreter's profiler, and count.

    Raises:
        WrongCountError: the message passed more or fewer coroutines of these benchmarks than the case says.
    """
    if not case.steps:
        return
    seen: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_flags & inspect.CO_COROUTINE and code.co_filename.startswith(HERE):
            seen.append(code.co_name)

    message = case.make()
    sys.setprofile(note)
    try:
        await case.send(message)
    finally:
        sys.setprofile(None)
    expected = case.steps + case.calls
    if len(seen) != expected:
        raise WrongCountError(f"{case.who}, {case.line}: passed {seen}, {expected} coroutines expected.")
