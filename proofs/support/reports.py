"""Error reports that a test can read."""

from typing import Any


class Reports:
    """Hears of errors."""

    def __init__(self) -> None:
        self.heard: list[tuple[type[BaseException], str]] = []

    def report(self, error: BaseException, name: str, metadata: Any) -> None:
        self.heard.append((type(error), name))
