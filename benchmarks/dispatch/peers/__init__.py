"""The peers, each in a file of its own, and why one could not be measured."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import import_module

from benchmarks.dispatch.case import Case

HERE = ("mediatorx", "mediatr", "diator", "python_cqrs", "waku")
APART = ("buz", "neuroglia")
"""Their dependencies contradict those of the service."""


@dataclass
class Found:
    """The cases of peers, what each peer does for the price, and what kept any from running."""

    cases: list[Case] = field(default_factory=list)
    does: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


async def find(names: Sequence[str], stack: AsyncExitStack) -> Found:
    """Set these peers up; whatever one fails with, it is named, and the others are measured."""
    found = Found()
    for name in names:
        try:
            peer = import_module(f"{__name__}.{name}")
            cases = await peer.cases(stack)
        except Exception as error:
            found.missing[name] = f"{type(error).__name__}: {error}"
        else:
            found.cases += cases
            found.does[peer.NAME] = peer.DOES
    return found
