"""The caller of the fuzz, for Schemathesis: an account that it has logged out or deleted is replaced by a spare one."""

import json
import os
import re
from typing import Any
from uuid import uuid4

import schemathesis

tokens: list[str] = json.loads(os.environ["FUZZ_TOKENS"])


@schemathesis.auth(refresh_interval=None)
class AccessToken:
    """Sends the access token of the present account."""

    def get(self, case: Any, context: Any) -> str | None:
        """The token; None: the caller is anonymous."""
        return tokens[0] if tokens else None

    def set(self, case: Any, data: str, context: Any) -> None:
        """Put it into the request."""
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Make a valid idempotency key new, and as long as it was: it names one request, but the generator repeats it."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,200}", key):
        case.headers["Idempotency-Key"] = (str(uuid4()) + key)[: max(len(key), 36)]


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Take the next account if this one has lost its access. The last one stays, and its refusals are findings."""
    sent = response.request.headers.get("Authorization")
    is_refused = response.status_code == 401 and not case.path.startswith("/api/auth/")
    if is_refused and len(tokens) > 1 and sent == f"Bearer {tokens[0]}":
        del tokens[0]
