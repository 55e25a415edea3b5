"""Login sessions and their refresh tokens, each of which can be used once."""

import base64
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.cqrs import AuthenticationError, Clock, ConcurrencyError, mark_stale
from app.persistence.access import access_tag
from app.persistence.engine.shared_clock import shared_time
from app.persistence.tables import login_sessions, refresh_tokens, users

LONGEST_REFRESH_TOKEN = 200
"""In characters. The commands that take a refresh token refuse longer input; the tokens issued here are shorter."""


class LoginSessions:
    """The sessions of logged-in users. Only a digest of a refresh token is stored.

    The digest is keyed, so a new `SECRET_KEY` ends all sessions. The successor of a token is derived from it with
    another key, so it can be issued again without being stored.
    """

    def __init__(self, session: AsyncSession, settings: Settings, clock: Clock) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock

    async def begin(self, user_id: UUID, password_hash: str, renewed: str) -> tuple[UUID, str]:
        """Begin a session. Returns its id and first refresh token.

        The password may have changed during its check. A later change waits for this transaction, and ends the session.

        Args:
            user_id: the user.
            password_hash: the hash that the password was checked with.
            renewed: the hash to store from now on: the same, or another one of the same password.

        Raises:
            ConcurrencyError: if the user or the hash is not current any more.
        """
        same = users.c.id == user_id, users.c.is_active, users.c.password_hash == password_hash
        locked = select(users.c.id).where(*same).with_for_update(read=True)
        stored = update(users).where(*same).values(password_hash=renewed).returning(users.c.id)
        if await self._session.scalar(locked if renewed == password_hash else stored) is None:
            raise ConcurrencyError("The account was changed during the login: log in again.")
        session_id, token, now = uuid4(), secrets.token_urlsafe(32), await self._now()
        expires_at = now + timedelta(seconds=self._settings.refresh_token_seconds)
        row = {"id": session_id, "user_id": user_id, "created_at": now, "expires_at": expires_at}
        await self._session.execute(insert(login_sessions).values(row))
        await self._store(token, session_id, now)
        return session_id, token

    async def go_on(self, token: str) -> tuple[UUID, UUID, str]:
        """Use a refresh token. Returns the user's id, the session's id and the next token.

        The session then lasts for another `refresh_token_seconds`: only one that is not used expires.

        A repetition within `refresh_token_grace_seconds`, because the answer was lost or two tabs asked at once, gets
        the same next token, as long as that one is unused. Any other reuse means that the token was stolen, whether the
        thief or the user comes second: its session ends at once. The caller must commit this despite the error.

        Raises:
            AuthenticationError: if the token is unknown, expired, revoked or was used before.
        """
        used, now = self._digest(token), await self._now()
        found = (await self._session.execute(_token_with_session(used))).first()
        if found is None or found.revoked_at is not None or found.expires_at <= now:
            raise _not_valid()
        successor = self._successor(token)
        if found.used_at is None:
            await self._advance(found.session_id, used, now)
            await self._store(successor, found.session_id, now)
        elif not await self._is_repetition(found.used_at, successor, now):
            await self._end(found.user_id, login_sessions.c.id == found.session_id)
            raise _not_valid()
        return found.user_id, found.session_id, successor

    async def _advance(self, session_id: UUID, used: bytes, now: datetime) -> None:
        lifetime, tokens = timedelta(seconds=self._settings.refresh_token_seconds), refresh_tokens.c
        await self._session.execute(update(refresh_tokens).where(tokens.digest == used).values(used_at=now))
        moved = update(login_sessions).where(login_sessions.c.id == session_id).values(expires_at=now + lifetime)
        await self._session.execute(moved)
        # A session may last for years, and its used tokens are kept to notice that one was stolen: for one lifetime.
        # Those that somebody is just trying are skipped, since that transaction waits for this session.
        over = select(tokens.digest).where(tokens.session_id == session_id, tokens.used_at <= now - lifetime)
        old = over.with_for_update(skip_locked=True)
        await self._session.execute(delete(refresh_tokens).where(tokens.digest.in_(old)))

    async def _is_repetition(self, used_at: datetime, successor: str, now: datetime) -> bool:
        """Whether this reuse may be a client's retry: in the grace period, and the successor exists and is unused."""
        passed = max(now - used_at, timedelta())  # clocks may be set back
        if passed >= timedelta(seconds=self._settings.refresh_token_grace_seconds):
            return False
        is_waiting = select(refresh_tokens.c.digest).where(
            refresh_tokens.c.digest == self._digest(successor), refresh_tokens.c.used_at.is_(None)
        )
        return await self._session.scalar(is_waiting) is not None

    async def end_by(self, token: str) -> None:
        """End the session of a refresh token; an unknown token has no session, so it is ignored."""
        found = (await self._session.execute(_token_with_session(self._digest(token)))).first()
        if found is not None:
            await self._end(found.user_id, login_sessions.c.id == found.session_id)

    async def end_all_of(self, user_id: UUID, but: UUID | None = None) -> None:
        """End all sessions of a user, except the session `but`, if given."""
        await self._end(user_id, *(() if but is None else (login_sessions.c.id != but,)))

    async def _end(self, user_id: UUID, *conditions: ColumnElement[bool]) -> None:
        """Revoke those sessions of a user that meet the conditions and are not revoked yet.

        After the commit, cached checks of their access tokens are invalidated; processes that share no cache may accept
        the tokens for up to `access.SECONDS_KEPT`.
        """
        open_ones = login_sessions.c.user_id == user_id, login_sessions.c.revoked_at.is_(None)
        ended = update(login_sessions).where(*open_ones, *conditions)
        await self._session.execute(ended.values(revoked_at=self._clock.now()))
        mark_stale(access_tag(user_id))

    async def _store(self, token: str, session_id: UUID, now: datetime) -> None:
        row = {"digest": self._digest(token), "session_id": session_id, "issued_at": now}
        await self._session.execute(insert(refresh_tokens).values(row))

    async def _now(self) -> datetime:
        return await shared_time(await self._session.connection(), self._clock.now)

    def _successor(self, token: str) -> str:
        made = self._hmac(token, "refresh tokens")
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    def _digest(self, token: str) -> bytes:
        """A fast hash protects a token as well as a slow one would, since tokens are long and random."""
        return self._hmac(token, "digests of refresh tokens")

    def _hmac(self, token: str, purpose: str) -> bytes:
        return hmac.digest(self._settings.key_for(purpose), token.encode(errors="surrogatepass"), "sha256")


def _token_with_session(digest: bytes) -> Select[*tuple[Any, ...]]:
    """Select a token and its session, and lock both rows: a concurrent use waits, then sees that it was used."""
    return (
        select(refresh_tokens.c.used_at, refresh_tokens.c.session_id, *_OF_SESSION)
        .join(login_sessions, login_sessions.c.id == refresh_tokens.c.session_id)
        .where(refresh_tokens.c.digest == digest)
        .with_for_update()
    )


_OF_SESSION = (login_sessions.c.user_id, login_sessions.c.expires_at, login_sessions.c.revoked_at)


def _not_valid() -> AuthenticationError:
    return AuthenticationError("This refresh token is not valid: log in again.")
