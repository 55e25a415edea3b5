"""Time-ordered UUIDs (version 7) and random ones as text. The standard library has `uuid7` from Python 3.14."""

import sys
from uuid import UUID

if sys.version_info >= (3, 14):
    from uuid import uuid4, uuid7
else:
    from uuid_utils import uuid4
    from uuid_utils.compat import uuid7

__all__ = ["UUID", "random_id", "uuid7"]


def random_id() -> str:
    """A random UUID (version 4) as text."""
    return str(uuid4())
