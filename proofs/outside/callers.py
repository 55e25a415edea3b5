"""The caller of the fuzz, for Schemathesis: an account that it has logged out or deleted is replaced by a spare one."""

import json
import os
from typing import Any

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
def after_call(context: Any, case: Any, response: Any) -> None:
    """Take the next account if this one has lost its access. The last one stays, and its refusals are findings."""
    sent = response.request.headers.get("Authorization")
    is_refused = response.status_code == 401 and not case.path.startswith("/api/auth/")
    if is_refused and len(tokens) > 1 and sent == f"Bearer {tokens[0]}":
        del tokens[0]
