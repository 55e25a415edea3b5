"""English: plurals, participles, articles, and the ways to write a name."""

import re

IRREGULAR = (
    "begin begun, bring brought, build built, buy bought, choose chosen, do done, draw drawn, find found, freeze "
    "frozen, give given, hold held, keep kept, leave left, lend lent, lose lost, make made, pay paid, rebuild "
    "rebuilt, repay repaid, resend resent, run run, sell sold, send sent, spend spent, take taken, undo undone, "
    "win won, withdraw withdrawn, withhold withheld, write written, cut cut, let let, put put, reset reset, set "
    "set, shut shut, split split"
)
PARTICIPLES = {verb: done for verb, _, done in (pair.partition(" ") for pair in IRREGULAR.split(", "))}
DOUBLED = ("admit", "cancel", "commit", "defer", "label", "permit", "prefer", "refer", "submit", "transfer")
"""Verbs of more than one syllable that double their last letter."""

HEARD_VOWEL = re.compile(
    "(?!once|one|eu|ewe)[aeio]|u(?!ni(?![dmn])|s[aeiub]|t[eio]|r[il]|[iux])"
    "|heir|hour|hono|hones|[fhlmnrsx][^aeiouy_]*(_|$)"
)
"""How a noun begins that has `an` before it."""


def participle(verb: str) -> str:
    """What was done: `close` is closed, `pay` is paid."""
    if verb in PARTICIPLES:
        return PARTICIPLES[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    if re.search("[^aeiou]y$", verb):
        return f"{verb[:-1]}ied"
    if verb in DOUBLED or re.fullmatch("[^aeiou]*[aeiou][^aeiouwxy]", verb):
        return f"{verb}{verb[-1]}ed"
    return f"{verb}ed"


def plural(noun: str) -> str:
    """More than one; of a name of several words, the last one changes."""
    if re.search("[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    if re.search("(s|x|z|ch|sh)$", noun):
        return f"{noun}es"
    return f"{noun}s"


def is_plural(noun: str) -> bool:
    """Whether a noun looks like a plural; `address`, `status` and `analysis` do not."""
    return re.search("[^su]s$", noun) is not None and not noun.endswith("is")


def article(noun: str) -> str:
    """`a`, or `an` before a vowel that is heard; a word without vowels is spelt: `an sms`."""
    return "an" if HEARD_VOWEL.match(noun) else "a"


def pascal(name: str) -> str:
    """`void_invoice` as a class: `VoidInvoice`."""
    return "".join(word.capitalize() for word in name.split("_"))


def snake(name: str) -> str:
    """`VoidInvoice` as a module: `void_invoice`."""
    return "_".join(re.findall("[A-Z][a-z0-9]*", name)).lower()


def spaced(name: str) -> str:
    """`void_invoice` as words: `void invoice`."""
    return name.replace("_", " ")


def sentence(name: str, noun: str, determiner: str) -> str:
    """An order as a sentence says it: `void_invoice` is `void an invoice`."""
    before, found, after = f"_{name}_".partition(f"_{noun}_")
    thing = f"{determiner} {spaced(noun)}"
    words = [spaced(before.strip("_")), thing, spaced(after.strip("_"))] if found else [spaced(name), "for", thing]
    return " ".join(word for word in words if word)
