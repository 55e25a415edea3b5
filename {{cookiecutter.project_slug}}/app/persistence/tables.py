"""The tables. Text columns have no maximum length: the domain limits it, so that both databases behave alike."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.domain.money import rounded

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time: always aware and in UTC, also on SQLite, which has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert for the database. Raises ValueError for a naive time, whose moment would be ambiguous."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored: use datetime.now(UTC).")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Convert from the database."""
        if value is None:
            return None
        moment: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment


class Money(TypeDecorator[Decimal]):
    """Amounts of money, stored as whole cents: SQLite has no decimals, and sums must be exact to the cent."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Convert for the database. Raises ValueError for a fraction of a cent, since rounding was forgotten."""
        if value is None:
            return None
        if value != rounded(value):
            raise ValueError("A part of a cent cannot be stored: use app.domain.money.rounded.")
        return int(value * 100)

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:
        """Convert from the database."""
        return None if value is None else Decimal(value).scaleb(-2)


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

roles = Table(
    "roles",
    metadata,
    Column("name", Text, primary_key=True),
    Column("is_admin", Boolean, nullable=False),
)

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
WAITING = text("published_at IS NULL")


def _event() -> tuple[Column[Any] | Index, ...]:
    """The columns of an event. `published_at` is when it was handed out; partial indexes find events that were not."""
    return (
        _id(),
        Column("aggregate_type", Text),
        Column("aggregate_id", Text),
        Column("version", Integer),
        Column("event_type", Text, nullable=False),
        Column("event_version", Integer, nullable=False, server_default="1"),
        Column("payload", Json, nullable=False),
        Column("metadata", Json, nullable=False),
        Column("occurred_at", UtcDateTime, nullable=False),
        Column("published_at", UtcDateTime),
        Index(None, "id", postgresql_where=WAITING, sqlite_where=WAITING),
        Index(None, "aggregate_type", "aggregate_id", "version", postgresql_where=WAITING, sqlite_where=WAITING),
    )


event_log = Table(
    "event_log",
    metadata,
    *_event(),
    UniqueConstraint("aggregate_type", "aggregate_id", "version"),
)

received_events = Table(
    "received_events",
    metadata,
    *_event(),
    Column("source", Text, nullable=False),
    Column("previous", Integer),
    Column("received_at", UtcDateTime, nullable=False),
    Index(None, "source", "aggregate_type", "aggregate_id", "version"),
)
"""Events of other services. `previous` is the version of the aggregate's previous public event."""

reactions = Table(
    "reactions",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("handler", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("aggregate_type", Text),
    Column("aggregate_id", Text),
    Column("version", Integer),
    Column("due_at", UtcDateTime),
    Column("claimed_by", Text),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("dead", Boolean, nullable=False),
    Index(None, "handler", "due_at"),
    Index(None, "source", "aggregate_type", "aggregate_id", "handler", "version"),
)
"""An event that waits for a handler; the row is deleted when the handler has processed the event.

`source` is empty for events of this service. `due_at` is when the event may be claimed; for a claimed event, the end of
the lease. NULL means that it is a dead letter, or waits behind an earlier event of its aggregate.
"""

inbox = Table(
    "inbox",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("handler", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False, index=True),
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
