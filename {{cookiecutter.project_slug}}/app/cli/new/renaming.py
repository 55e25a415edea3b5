"""Replaces the words of a block: names in code and in paths, and words in sentences."""

import re
from collections.abc import Mapping

from app.cli.new.words import article, pascal, sentence, spaced

TEXT = re.compile(r'("""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*)')
"""A string or a comment. Blocks have no other quotes, because they are formatted."""
IDENTIFIER = re.compile(r"[_/{}`]|\w[:=(.]\w")
Forms = Mapping[str, tuple[str, str]]
"""A word of the guide -> how its replacement is written in code, and in a sentence."""


def forms(old: str, new: str) -> dict[str, tuple[str, str]]:
    """A name in snake case, as a class and as a constant."""
    said = spaced(new)
    return {
        old: (new, said),
        pascal(old): (pascal(new), said.capitalize()),
        old.upper(): (new.upper(), said.upper()),
    }


def nouns(noun: str, plural: str) -> dict[str, tuple[str, str]]:
    """The aggregate, in place of the ticket."""
    a = article(noun)
    return {
        **forms("ticket", noun),
        **forms("tickets", plural),
        **{f"{one} ticket": ("", f"{new} {spaced(noun)}") for one, new in (("a", a), ("A", a.capitalize()))},
        "a_ticket": (f"{a}_{noun}", f"{a} {spaced(noun)}"),
    }


def orders(old: str, name: str, noun: str) -> dict[str, tuple[str, str]]:
    """A command in a sentence: `Close a ticket` is `Void an invoice`."""
    found = {}
    for determiner, other in (("a", article(noun)), ("the", "the")):
        said = sentence(name, noun, other)
        found[f"{old} {determiner} ticket"] = ("", said)
        found[f"{old.capitalize()} {determiner} ticket"] = ("", said[0].upper() + said[1:])
    return found


class Renaming:
    """Replaces words wherever they are a part of a name or of a sentence; the longest that fits wins.

    Args:
        words: what to put in place of what.
    """

    def __init__(self, words: Forms) -> None:
        self.words = words
        ordered = sorted(words, key=len, reverse=True)
        self._word = re.compile(
            "|".join(f"{'' if w[0].isupper() else '(?<![A-Za-z])'}{re.escape(w)}(?![a-z0-9])" for w in ordered)
        )

    def has(self, name: str) -> bool:
        """Whether a name has a word of the guide in it."""
        return self._word.search(name) is not None

    def code(self, code: str) -> str:
        """A module."""
        pieces = TEXT.split(code)
        return "".join(self._text(piece) if number % 2 else self.name(piece) for number, piece in enumerate(pieces))

    def name(self, name: str) -> str:
        """What has only names in it: code, or a path."""
        return self._word.sub(lambda found: self.words[found[0]][0], name)

    def _text(self, text: str) -> str:
        def put(found: re.Match[str]) -> str:
            in_code, in_a_sentence = self.words[found[0]]
            start = max(text.rfind(space, 0, found.start()) for space in " \n") + 1
            around = re.match(r"\S*", text[start:])
            is_name = " " not in text or (around is not None and IDENTIFIER.search(around[0]))
            if " " in found[0] or not is_name:
                return in_a_sentence
            return in_code.replace("_", "-") if text[: found.start()].endswith("/") else in_code

        return self._word.sub(put, text)
