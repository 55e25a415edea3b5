"""Idempotency keys: claimed by the first write of a transaction; the last write stores the answer."""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import Executable

from app.core.cqrs import Claim, Clock, CommandValidationError
from app.persistence.column_types import UtcDateTime
from app.persistence.tables import idempotency_keys

_OF_KEY = idempotency_keys.c.digest == bindparam("key")
_ANSWER = update(idempotency_keys).where(_OF_KEY).values(answer=bindparam("kept"))
_FIND = select(idempotency_keys.c.fingerprint, idempotency_keys.c.answer).where(_OF_KEY)


def _claiming(insert: Any, expired: ColumnElement[datetime]) -> Executable:
    """Insert a key, or take over an expired one.

    Of two concurrent claims of a key, the second waits here for the first to commit. A key that is still valid is only
    locked, so that it still exists when its answer is read.
    """
    row = insert.excluded
    claim: Executable = insert.on_conflict_do_update(
        index_elements=[idempotency_keys.c.digest],
        set_={"fingerprint": row.fingerprint, "answer": None, "claimed_at": row.claimed_at},
        where=idempotency_keys.c.claimed_at <= expired,
    )
    return claim


_SERVER_TIME = func.now(type_=UtcDateTime)
"""The server's clock, which all processes share."""
_CLAIM: Mapping[str, Executable] = {
    "postgresql": _claiming(
        postgresql.insert(idempotency_keys).values(claimed_at=_SERVER_TIME),
        _SERVER_TIME - bindparam("lifetime", type_=Interval()),
    ),
    "sqlite": _claiming(sqlite.insert(idempotency_keys), bindparam("expired", type_=UtcDateTime)),
}


class IdempotencyKeys:
    """The claims of one service. Messages may contain passwords, so only their HMAC is stored.

    Args:
        secret: the key of the HMAC.
        seconds: how long a key is valid after its claim; afterwards it counts as new, swept or not.
        clock: provides the time of claims on SQLite; on PostgreSQL, that is the server's.
    """

    def __init__(self, secret: bytes, seconds: float, clock: Clock) -> None:
        self._secret = secret
        self._lifetime = timedelta(seconds=seconds)
        self._clock = clock

    async def claim(self, session: AsyncSession, claim: Claim) -> bytes | None:
        """Claim a key. Returns the answer stored under it if it was claimed before, else None.

        Raises:
            CommandValidationError: if the key was used for another message.
        """
        digest, fingerprint = self._digest(claim), self._hmac(claim.content)
        now = self._clock.now()
        row = {"digest": digest, "fingerprint": fingerprint, "claimed_at": now}
        limits = {"expired": now - self._lifetime, "lifetime": self._lifetime}
        claimed: Any = await session.execute(_CLAIM[session.get_bind().dialect.name], row | limits)
        if claimed.rowcount:
            return None
        found = (await session.execute(_FIND, {"key": digest})).one()
        if not hmac.compare_digest(found.fingerprint, fingerprint):
            raise CommandValidationError(
                "This idempotency key was used for another request.",
                details={"idempotency_key": "was used for another request"},
            )
        answer: bytes | None = found.answer
        return answer

    async def keep_answer(self, session: AsyncSession, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key."""
        await session.execute(_ANSWER, {"key": self._digest(claim), "kept": answer})

    def _digest(self, claim: Claim) -> bytes:
        """The primary key of a claim: an HMAC, so the idempotency key may contain any characters."""
        texts = (claim.caller, claim.message_type, claim.key)
        parts = [text.encode(errors="surrogatepass") for text in texts]
        return self._hmac(b"".join(b"%d:%s" % (len(part), part) for part in parts))

    def _hmac(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, "sha256")
