"""Estimates the entropy of a secret, whether a person or a machine made it."""

import math
import re

ENOUGH_BITS = 76.0
"""Estimates for random secrets: about 95 for 32 digits, 105 for 32 hexadecimal digits, 200 for 32 bytes in base64."""

PIECE_BITS = 8.0
"""The value of a piece that is repeated or commonly known: which piece it is, and how long."""
SHORTEST_PIECE = 3
LONGEST_LOOKED_AT = 1000
WORD_BITS = 5.0
"""The value of a word in a sentence, whatever its length: English text has about one bit for each letter."""

WORD = "(?:[A-Z]?[a-z]{1,15}|[A-Z]{2,15}|[AI]|[0-9]{1,4})"
SENTENCE = re.compile(rf"{WORD}(?:[ _.,'-]+{WORD}){{2,}}[.!?]*")
CAMEL = re.compile("(?<=[a-z])(?=[A-Z0-9])|(?<=[a-z][AI])(?=[A-Z][a-z])")
"""Where a word begins in ThisIsASecret2024."""
PRONOUNCEABLE = re.compile("[aeiouy0-9]|^.{1,2}$")
"""A word of a sentence, not random letters between capitals."""
PLACEHOLDER = re.compile(r"<[\w .,'-]+>|.* .*", re.DOTALL)
PUBLISHED = ("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",)
"""Keys that tutorials show, in lower case. FastAPI's."""
RUN = re.compile(r"(.)\1{2,}", re.DOTALL)
KNOWN = (
    "abcdefghijklmnopqrstuvwxyz 01234567890123456789 `1234567890-= qwertyuiop[] asdfghjkl;' zxcvbnm,./ !@#$%^&*()_+ "
    "qwertzuiop azertyuiop qsdfghjklm 1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p 1q2w3e4r5t6y7u8i9o0p "
    "your change changeme example placeholder insecure default secret password passwort private token test key admin "
    "letmein welcome production development django flask fastapi jwt hs256 signing supersecret deadbeef cafebabe foobar"
)
KNOWN += KNOWN[::-1]


def estimated_bits(secret: str) -> float:
    """Estimate the bits that an attacker has to guess who tries repetitions, sequences, keyboards and common words.

    A placeholder, whatever has a blank within, and a published key are worth nothing.
    """
    secret = secret.strip()[:LONGEST_LOOKED_AT]
    text = secret.lower()
    if PLACEHOLDER.fullmatch(secret) or any(key in text for key in PUBLISHED):
        return 0.0
    bits = min(
        _bits_of(text),
        _bits_of(text[::2]) + _bits_of(text[1::2]),  # a1b2c3d4
        _bits_of(RUN.sub(r"\1", text)) + PIECE_BITS,  # aaabbbccc
    )
    spaced = CAMEL.sub(" ", secret)
    words = set(re.findall("[a-z0-9]+", spaced.lower()))
    if SENTENCE.fullmatch(spaced) and all(PRONOUNCEABLE.search(word) or word in KNOWN for word in words):
        bits = min(bits, WORD_BITS * len(words))
    return bits


def _bits_of(text: str) -> float:
    """Read from left to right: each character is new, or begins a piece that occurred before or is commonly known."""
    of_character = math.log2(len(set(text))) if text else 0.0
    bits, place = 0.0, 0
    while place < len(text):
        length = _length_of_piece(text, place)
        bits += PIECE_BITS if length else of_character
        place += length or 1
    return bits


def _length_of_piece(text: str, place: int) -> int:
    """The length of the longest piece that begins here; 0: there is none."""
    length = SHORTEST_PIECE - 1
    while place + length < len(text):
        piece = text[place : place + length + 1]
        if piece not in KNOWN and text.find(piece, 0, place + length) < 0:
            break
        length += 1
    return length if length >= SHORTEST_PIECE else 0
