"""Idempotency keys: claimed as the first write of a transaction, answered as the last."""

import hmac
from datetime import UTC, datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import Claim, CommandValidationError
from app.persistence.insert import insert_if_new
from app.persistence.tables import idempotency_keys

STORE_ANSWER = (
    update(idempotency_keys).where(idempotency_keys.c.digest == bindparam("claimed")).values(answer=bindparam("given"))
)


class IdempotencyKeys:
    """The claims of one service. Messages may hold passwords: only their HMAC is stored."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    async def claim(self, session: AsyncSession, claim: Claim) -> bytes | None:
        """Claim a key; the answer stored under it, if it was claimed before.

        Raises:
            CommandValidationError: the key was used for another message.
        """
        digest, fingerprint = self._digest(claim), self._hmac(claim.content)
        row = {"digest": digest, "fingerprint": fingerprint, "claimed_at": datetime.now(UTC)}
        if await insert_if_new(session, idempotency_keys, row):
            return None
        known = select(idempotency_keys).where(idempotency_keys.c.digest == digest).with_for_update()
        found = (await session.execute(known)).one()
        if not hmac.compare_digest(found.fingerprint, fingerprint):
            raise CommandValidationError(
                "This idempotency key was used for another request.",
                details={"idempotency_key": "was used for another request"},
            )
        answer: bytes | None = found.answer
        return answer

    async def keep_answer(self, session: AsyncSession, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key."""
        await session.execute(STORE_ANSWER, {"claimed": self._digest(claim), "given": answer})

    def _digest(self, claim: Claim) -> bytes:
        """What the claim is found by, whatever letters the key is made of."""
        parts = (claim.caller, claim.message_type, claim.key)
        return self._hmac(b"".join(b"%d:%s" % (len(part), part) for part in map(_bytes, parts)))

    def _hmac(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
