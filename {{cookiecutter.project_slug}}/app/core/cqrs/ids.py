"""UUIDs in the order of their making, and random ones as text: from the standard library where it has the former."""

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
