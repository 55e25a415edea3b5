"""UUIDs in the order of their making, from the standard library where it has them."""

import sys
from uuid import UUID

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils.compat import uuid7

__all__ = ["UUID", "uuid7"]
