"""Logins: sessions and their refresh tokens, of which each is good for one use."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.cqrs import AuthenticationError, Clock
from app.persistence.tables import login_sessions, refresh_tokens, users

LONGEST_TOKEN = 200
"""In characters: more than ours have, and little enough to be handled."""


class LoginSessions:
    """The sessions of users who logged in. Of a refresh token only a digest is stored."""

    def __init__(self, session: AsyncSession, settings: Settings, clock: Clock) -> None:
        self._session = session
        self._lifetime = timedelta(seconds=settings.refresh_token_seconds)
        self._clock = clock

    async def begin(self, user_id: UUID, password_hash: str) -> tuple[UUID, str] | None:
        """Begin a session: its id and its first refresh token; None if this is no active user's password any more.

        It may have been changed while it was checked; whoever changes it now waits, and ends this session too.
        """
        same = users.c.is_active, users.c.password_hash == password_hash
        current = select(users.c.id).where(users.c.id == user_id, *same).with_for_update(read=True)
        if await self._session.scalar(current) is None:
            return None
        now = self._clock.now()
        session_id = uuid4()
        row = {"id": session_id, "user_id": user_id, "created_at": now, "expires_at": now + self._lifetime}
        await self._session.execute(insert(login_sessions).values(row))
        return session_id, await self._new_token(session_id, now)

    async def go_on(self, token: str) -> tuple[UUID, UUID, str]:
        """Use a refresh token: the user, the session, and the next token.

        A token that comes back was stolen, from the user or by the user's thief: its session ends at once, which
        is to be committed although an error is raised.

        Raises:
            AuthenticationError: the token is unknown, expired, revoked or was used before.
        """
        used, now = _digest(token), self._clock.now()
        found = (await self._session.execute(_token_with_session(used))).first()
        if found is None or found.revoked_at is not None or found.expires_at <= now:
            raise _not_valid()
        if found.used_at is not None:
            await self.end(found.session_id)
            raise _not_valid()
        await self._session.execute(update(refresh_tokens).where(refresh_tokens.c.digest == used).values(used_at=now))
        return found.user_id, found.session_id, await self._new_token(found.session_id, now)

    async def end_by(self, token: str) -> None:
        """End the session of a refresh token; one that nobody knows is no session any more."""
        found = (await self._session.execute(_token_with_session(_digest(token)))).first()
        if found is not None:
            await self.end(found.session_id)

    async def end(self, session_id: UUID) -> None:
        """End one session."""
        await self._end(login_sessions.c.id == session_id)

    async def end_all_of(self, user_id: UUID, but: UUID | None = None) -> None:
        """End all sessions of a user, but perhaps this one."""
        await self._end(login_sessions.c.user_id == user_id, *(() if but is None else (login_sessions.c.id != but,)))

    async def _end(self, *conditions: ColumnElement[bool]) -> None:
        ended = update(login_sessions).where(login_sessions.c.revoked_at.is_(None), *conditions)
        await self._session.execute(ended.values(revoked_at=self._clock.now()))

    async def _new_token(self, session_id: UUID, now: datetime) -> str:
        token = secrets.token_urlsafe(32)
        row = {"digest": _digest(token), "session_id": session_id, "issued_at": now}
        await self._session.execute(insert(refresh_tokens).values(row))
        return token


def _digest(token: str) -> bytes:
    """A token is random and long: a plain hash keeps it as secret as a slow one would."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _token_with_session(digest: bytes) -> Select[*tuple[Any, ...]]:
    """A token, locked: of two who use it at once, the second sees that it was used."""
    return (
        select(refresh_tokens.c.used_at, refresh_tokens.c.session_id, *_OF_SESSION)
        .join(login_sessions, login_sessions.c.id == refresh_tokens.c.session_id)
        .where(refresh_tokens.c.digest == digest)
        .with_for_update()
    )


_OF_SESSION = (login_sessions.c.user_id, login_sessions.c.expires_at, login_sessions.c.revoked_at)


def _not_valid() -> AuthenticationError:
    return AuthenticationError("This refresh token is not valid: log in again.")
