"""Cursors: where a reader is in a long list, as text that only this service can make.

Pages are counted from the beginning, which takes longer with every page, and shows some rows twice when new ones come
in before them. A cursor names the last row that was read.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from app.core.cqrs import QueryValidationError

LONGEST_CURSOR = 1_000
SEAL_BYTES = 16


def write_cursor(secret: bytes, of: Sequence[str | None], position: Sequence[str]) -> str:
    """A cursor.

    Args:
        secret: what it is sealed with.
        of: the list and its filters; with others the cursor is worth nothing.
        position: the sort keys of the last row that was read.
    """
    return _sealed(secret, of, json.dumps(position).encode())


def read_cursor(secret: bytes, of: Sequence[str | None], cursor: str) -> list[str]:
    """The position of a cursor.

    Raises:
        QueryValidationError: this service did not make it, or not for this list.
    """
    try:
        said = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[SEAL_BYTES:]
    except ValueError:
        said = b""
    if not hmac.compare_digest(_sealed(secret, of, said).encode(), cursor.encode(errors="replace")):
        raise QueryValidationError("This cursor is not valid.", details={"cursor": "is not one of this list"})
    position: list[str] = json.loads(said)
    return position


def _sealed(secret: bytes, of: Sequence[str | None], said: bytes) -> str:
    seal = hmac.digest(secret, json.dumps(of).encode() + b"\n" + said, "sha256")[:SEAL_BYTES]
    return urlsafe_b64encode(seal + said).decode().rstrip("=")
