"""The tables. Text columns have no maximum length: the domain limits it, so that both databases behave alike."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, Uuid

from app.persistence.column_types import UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[UUID]:
    return Column("id", Uuid, primary_key=True)


def _user_id(**options: Any) -> Column[UUID]:
    return Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), **options)


users = Table(
    "users",
    metadata,
    _id(),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True, info={"field": "email"}),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False, unique=True, info={"field": "username"}),
    Column("full_name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
    Index(None, "created_at", "id"),
)

roles = Table("roles", metadata, Column("name", Text, primary_key=True), Column("is_admin", Boolean, nullable=False))

role_permissions = Table(
    "role_permissions",
    metadata,
    Column("role", Text, ForeignKey("roles.name", ondelete="CASCADE"), primary_key=True),
    Column("permission", Text, primary_key=True),
)

user_roles = Table(
    "user_roles",
    metadata,
    _user_id(primary_key=True),
    Column("role", Text, ForeignKey("roles.name"), primary_key=True, index=True),
)

login_sessions = Table(
    "login_sessions",
    metadata,
    _id(),
    _user_id(nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("revoked_at", UtcDateTime, index=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("session_id", Uuid, ForeignKey("login_sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", LargeBinary),
    Column("claimed_at", UtcDateTime, nullable=False, index=True),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("happened", Text, nullable=False),
    Column("user_id", Uuid, nullable=False, index=True),
    Column("done_by", Text),
    Column("operation_id", Text, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
)

notifications = Table(
    "notifications",
    metadata,
    _id(),
    _user_id(nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("read_at", UtcDateTime),
    Index(None, "user_id", "sent_at"),
)

registrations = Table(
    "registrations",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("registered_at", UtcDateTime, nullable=False, index=True),
)
