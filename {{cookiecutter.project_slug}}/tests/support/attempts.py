"""Counts the attempts of a command: what its handler adds to a list in it is undone before the next attempt."""

from dataclasses import dataclass


@dataclass
class Attempts:
    """How many attempts there were."""

    number: int = 0
