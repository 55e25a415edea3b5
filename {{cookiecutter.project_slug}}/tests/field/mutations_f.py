"""Mutations of logins, throttles and the bounds of settings."""

from tests.mutation import Mutation, outside

ENDED = "field/test_ended_logins.py"
LOST = "field/test_lost_answers.py"

MUTATIONS: list[Mutation] = [
    outside(
        "logins: the login of an access token is looked up",
        "dependencies.py",
        "    await (await container.get(OpenLogins)).require(caller)\n",
        "",
        ENDED,
    ),
    outside(
        "logins: what ends one drops what is known",
        "persistence/repositories/login_sessions.py",
        "        mark_stale(access_tag(user_id))\n",
        "",
        ENDED,
    ),
    outside(
        "logins: a revoked one is over",
        "persistence/access.py",
        "login_sessions.c.id == token.session_id, login_sessions.c.revoked_at.is_(None)",
        "login_sessions.c.id == token.session_id",
        ENDED,
    ),
    outside(
        "logins: each is its own user's",
        "persistence/access.py",
        ".where(users.c.id == token.user_id, users.c.is_active)",
        ".where(users.c.is_active)",
        ENDED,
    ),
    outside(
        "logins: one ends at its moment",
        "persistence/access.py",
        "if end is None or end <= self._clock.now():",
        "if end is None:",
        ENDED,
    ),
    outside(
        "logins: what is known is kept",
        "persistence/access.py",
        "    await cache.set(key, codec.dump_json(value), SECONDS_KEPT, (tag,), generation)\n",
        "",
        ENDED,
    ),
    outside(
        "logins: and for so long",
        "persistence/access.py",
        "SECONDS_KEPT = 30.0",
        "SECONDS_KEPT = 90.0",
        ENDED,
    ),
    outside(
        "logins: they are read from the primary",
        "persistence/database.py",
        "session_on(self.writing_engine if self._has_replica else self.reading_engine, ReadSession)",
        "session_on(self.reading_engine, ReadSession)",
        ENDED,
    ),
    outside(
        "REFRESH_TOKEN_GRACE_SECONDS",
        "persistence/repositories/login_sessions.py",
        "timedelta(seconds=self._settings.refresh_token_grace_seconds)",
        "timedelta(seconds=3600)",
        LOST,
    ),
    outside(
        "refresh: a successor that was used is not given again",
        "persistence/repositories/login_sessions.py",
        "refresh_tokens.c.digest == _digest(successor), refresh_tokens.c.used_at.is_(None)",
        "refresh_tokens.c.digest == _digest(successor)",
        LOST,
    ),
    outside(
        "refresh: the successor needs the key",
        "persistence/repositories/login_sessions.py",
        'self._settings.key_for("refresh tokens")',
        'b"refresh tokens"',
        LOST,
    ),
]
