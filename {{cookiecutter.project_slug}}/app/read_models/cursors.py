"""Cursors: signed positions in a long list, as text that only this service can make.

Offset pagination counts from the beginning, which takes longer with every page, and repeats rows when new ones are
inserted before them. A cursor names the last row that was read.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from app.core.cqrs import QueryValidationError

LONGEST_CURSOR = 1_000
SEAL_BYTES = 16


def write_cursor(secret: bytes, of: Sequence[str | None], position: Sequence[str]) -> str:
    """Make a cursor.

    Args:
        secret: the key of its signature.
        of: the list and its filters; for others the cursor is not valid.
        position: the sort keys of the last row that was read.
    """
    return _sealed(secret, of, json.dumps(position).encode())


def read_cursor(secret: bytes, of: Sequence[str | None], cursor: str) -> list[str]:
    """Verify a cursor, and return its position.

    Raises:
        QueryValidationError: if this service did not make it, or not for this list.
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
